"""The steps of a desktop, whole; what changes them and what does not; and its programs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roost import machine as machine_package
from roost.recipes.base import Context
from roost.recipes.desktop import desktop, novnc
from roost.recipes.digest import recipe_digest
from roost.recipes.registry import steps_of, uploads_of
from roost.spec import Desktop, load

GOLDEN = Path(__file__).parent / "golden"
PROGRAMS = Path(machine_package.__file__).parent / "programs" / "desktop"
AWS = '[aws]\nregion = "eu-central-1"\n'
KINDS = {
    "novnc": 'image = "debian-12"\ntype = "m7i.large"\n',
    "dcv": 'image = "ubuntu-24.04"\ntype = "g4dn.xlarge"\n',
}
MORE = """\
[access]
https = ["192.0.2.0/24"]
[[volumes]]
name = "data"
size = "100GB"
[[volumes]]
name = "scratch"
size = "100GB"
mount = "/mnt/fast"
"""
Specs = Callable[..., Desktop]


@pytest.fixture
def spec(tmp_path: Path) -> Specs:
    """``spec("dcv", top='apt = ["gimp"]', machine=..., more=...)``."""

    def make(
        protocol: str = "novnc", *, top: str = "", machine: str = "", more: str = ""
    ) -> Desktop:
        file = tmp_path / "roost.toml"
        head = f'name = "stars"\nkind = "desktop"\nprotocol = "{protocol}"\n{top}\n'
        file.write_text(f"{head}{AWS}[machine]\n{machine or KINDS[protocol]}{more}")
        found = load(file)
        assert isinstance(found, Desktop)
        return found

    return make


def steps(spec: Desktop) -> dict[str, dict[str, Any]]:
    return {step.name: step.to_json() for step in desktop.steps(spec)}


def changed(before: Desktop, after: Desktop) -> set[str]:
    one, two = steps(before), steps(after)
    names = one.keys() | two.keys()
    return {name for name in names if one.get(name) != two.get(name)}


def shown(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without digests, and with the name of our file instead of its text, where it is that."""
    ours = {
        file.read_text(): str(file.relative_to(PROGRAMS))
        for file in sorted(PROGRAMS.rglob("*"))
        if file.is_file() and file.suffix != ".pyc"
    }
    for step in found.values():
        del step["digest"]
        for file in step["files"]:
            file["content"] = ours.get(file["content"]) or file["content"].splitlines()
    return json.loads(json.dumps(found))


@pytest.mark.golden
@pytest.mark.parametrize("protocol", KINDS)
def test_the_whole_steps(protocol: str, spec: Specs) -> None:
    """`make docs` writes what they are now."""
    found = shown(steps(spec(protocol, top='apt = ["gimp"]', more=MORE)))
    file = GOLDEN / f"desktop-{protocol}.json"
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(file.read_text())


# --- what changes what ----------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", KINDS)
def test_what_is_no_business_of_the_desktops_changes_nothing(protocol: str, spec: Specs) -> None:
    more = '[schedule]\nidle = "1h"\n[tags]\ngroup = "stars"\n[access]\nssh = ["anywhere"]\n'
    assert changed(spec(protocol), spec(protocol, more=more)) == set()


def test_more_packages_do_not_end_anybodys_session(spec: Specs) -> None:
    assert changed(spec(), spec(top='apt = ["gimp", "vim"]')) == {"desktop-password"}
    assert changed(spec("dcv"), spec("dcv", top='apt = ["gimp"]')) == {"dcv"}


@pytest.mark.parametrize("protocol", KINDS)
def test_a_volume_is_an_icon(protocol: str, spec: Specs) -> None:
    volume = '[[volumes]]\nname = "data"\nsize = "1GB"\n'
    assert changed(spec(protocol), spec(protocol, more=volume)) == {"desktop-settings"}
    found = steps(spec(protocol, more=volume))["desktop-settings"]["commands"]
    assert [one["argv"] for one in found] == [("/usr/lib/roost/desktop/home", "data=/data")]


@pytest.mark.parametrize("protocol", KINDS)
def test_only_where_the_file_says_so_others_reach_it(protocol: str, spec: Specs) -> None:
    opened = spec(protocol, more='[access]\nhttps = ["me"]\n')
    assert changed(spec(protocol), opened) == {"desktop-page"}
    assert "0.0.0.0" not in json.dumps(steps(spec(protocol)))
    assert json.dumps(steps(opened)).count("0.0.0.0:443") == 1


@pytest.mark.parametrize(
    "machine", ['type = "g4dn.xlarge"\n', 'gpu = "T4"\n', "gpus = 1\n", 'gpu_memory = "16GB"\n']
)
def test_a_gpu_is_used_where_there_is_one(machine: str, spec: Specs) -> None:
    with_image = f'image = "debian-12"\n{machine}'
    assert changed(spec(), spec(machine=with_image)) == {"desktop-gpu"}


def test_each_system_has_its_browser(spec: Specs) -> None:
    for image, browser in (
        ("debian-12", "firefox-esr"),
        ("debian-13", "firefox-esr"),
        ("ubuntu-24.04", "epiphany-browser"),
        ("ami-0123456789abcdef0", "epiphany-browser"),
    ):
        found = steps(spec(machine=f'image = "{image}"\n'))["desktop-password"]["packages"]
        assert browser in found
        assert len({"firefox-esr", "epiphany-browser"} & set(found)) == 1


def test_passwords_and_homes_are_one_machines_own_and_all_else_may_be_in_an_image(
    spec: Specs,
) -> None:
    own = {
        step["name"] for protocol in KINDS for step in steps(spec(protocol)).values() if step["own"]
    }
    assert own == {"desktop-password", "dcv-password", "desktop-settings"}


@pytest.mark.parametrize("protocol", KINDS)
def test_what_an_image_must_not_keep_has_names_of_ours(protocol: str, spec: Specs) -> None:
    """``bake`` takes away the units that are called roost-*, and no others."""
    for step in steps(spec(protocol)).values():
        for file in step["files"]:
            if file["path"].startswith("/etc/systemd/system/"):
                assert Path(file["path"]).name.startswith("roost-")


def test_every_file_is_used() -> None:
    golden = "".join((GOLDEN / f"desktop-{kind}.json").read_text() for kind in KINDS)
    named = set(re.findall(r'"content": "([^"]+)"', golden))
    rendered = {"index.html", "nginx.conf", "roost-dcv-public.socket"}
    files = {str(file.relative_to(PROGRAMS)) for file in PROGRAMS.rglob("*") if file.is_file()}
    files = {file for file in files if "__pycache__" not in file}
    of_a_class = {"glance.conf", "glance.py"}
    of_a_class |= {f"{novnc.GLANCE}.{kind}" for kind in ("service", "socket")}
    of_a_class |= {f"{novnc.RESTART}.{kind}" for kind in ("service", "path")}
    assert files == named | rendered | of_a_class


def test_the_name_is_on_the_page() -> None:
    files = {file.path: file.content for file in novnc.page("stars")}
    page = files["/usr/lib/roost/desktop/page/index.html"]
    assert "<h1>stars</h1>" in page
    assert "roost open stars" in page
    assert "NAME" not in page


@pytest.mark.parametrize("protocol", KINDS)
def test_a_seat_is_a_desktop(protocol: str, spec: Specs, tmp_path: Path) -> None:
    """The same keys give the same steps; only the page says whom to ask for the password."""
    top = '[scipion]\nplugins = ["scipion-em-relion"]\n[pixinsight]\ninstaller = "pi.tar.xz"\n'
    (tmp_path / "pi.tar.xz").write_bytes(b"\xfd7zXZ\0")
    desk = spec(protocol, top='apt = ["gimp"]', more=f"{MORE}{top}")
    text = (tmp_path / "roost.toml").read_text()
    (tmp_path / "roost.toml").write_text(
        text.replace('kind = "desktop"', 'kind = "classroom"\nseats = 20')
    )
    seats = load(tmp_path / "roost.toml")
    context = Context(uploads={"pixinsight": "0" * 64, "s3": "0" * 64})
    there = {one.name: one for one in steps_of(desk, "desktop", context)}
    here = {one.name: one for one in steps_of(seats, "seat", context)}
    looked_at = here.pop("desktop-glance", None)
    assert (looked_at is not None) == (protocol == "novnc")
    assert list(here) == list(there)
    differ = {name for name in here if here[name] != there[name]}
    assert differ == ({"desktop-page"} if protocol == "novnc" else set())
    if differ:
        page = here["desktop-page"].files[0].content
        assert "on your handout" in page
        assert "roost open" not in page
    assert uploads_of(seats) == uploads_of(desk)
    assert recipe_digest(seats, "seat") != recipe_digest(spec(protocol), "desktop")
