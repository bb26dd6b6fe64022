"""The programs and files of a desktop, each by itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.dom.minidom
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from roost import machine as machine_package

PROGRAMS = Path(machine_package.__file__).parent / "programs" / "desktop"
CHANNELS = sorted((PROGRAMS / "xfconf").iterdir())


def module(name: str) -> ModuleType:
    """A program as a module, without having run."""
    loader = SourceFileLoader(f"desktop_{name.partition('.')[0].replace('-', '_')}", "")
    loader.path = str(PROGRAMS / name)
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    found = module_from_spec(spec)
    sys.modules[loader.name] = found
    loader.exec_module(found)
    return found


@pytest.mark.parametrize("name", sorted(file.name for file in PROGRAMS.glob("*.sh")))
def test_a_shell_program(name: str) -> None:
    subprocess.run(["sh", "-n", PROGRAMS / name], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", PROGRAMS / name], check=True)


@pytest.mark.parametrize(
    "file", sorted((PROGRAMS / "xfconf").iterdir()), ids=lambda file: file.name
)
def test_settings_of_the_desktop(file: Path) -> None:
    """A channel is found by its name; a plugin of the panel by its number."""
    text = file.read_text()
    root = xml.dom.minidom.parseString(text).documentElement
    assert root.getAttribute("name") == file.stem
    if file.stem == "xfce4-panel":
        ids = [int(found) for found in re.findall(r"plugin-(\d+)\"", text)]
        listed = text.partition('"plugin-ids"')[2].partition("</property>")[0]
        assert ids == [int(found) for found in re.findall(r'value="(\d+)"', listed)]


class TestSecrets:
    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The program's folder of secrets, and a tool of VNC that hides what it is given."""
        bin_ = tmp_path / "bin"
        bin_.mkdir()
        (bin_ / "tigervncpasswd").write_text('#!/bin/sh\n[ "$1" = -f ] && tr a-zA-Z b-zA-Za\n')
        (bin_ / "tigervncpasswd").chmod(0o755)
        monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
        monkeypatch.setenv("ROOST_NAME", "stars")
        return tmp_path / "secrets"

    @pytest.fixture
    def made(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl here")
        program = module("secrets.py")
        monkeypatch.setattr(program, "SECRETS", place)

        def run() -> dict[str, str]:
            before = os.umask(0o022)
            try:
                program.main()
            finally:
                os.umask(before)
            return {file.name: file.read_bytes().decode("latin1") for file in place.iterdir()}

        return run

    def test_they_are_made_once(self, made: Callable[[], dict[str, str]], place: Path) -> None:
        first = made()
        assert made() == first
        assert sorted(first) == [
            *("desktop-nginx.conf", "desktop-tokens", "desktop-vnc"),
            *("desktop.crt", "desktop.json", "desktop.key"),
        ]
        assert {file.stat().st_mode & 0o777 for file in place.iterdir()} == {0o600}
        assert place.stat().st_mode & 0o777 == 0o700
        found = json.loads(first["desktop.json"])
        assert re.fullmatch("([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", found["password"])
        assert len({*found.values()}) == 6

    def test_others_on_another_machine(
        self, made: Callable[[], dict[str, str]], place: Path
    ) -> None:
        first = made()
        shutil.rmtree(place)
        second = made()
        assert all(first[name] != second[name] for name in first)

    def test_each_password_opens_its_own(self, made: Callable[[], dict[str, str]]) -> None:
        found = made()
        known = json.loads(found["desktop.json"])
        rows = dict(re.findall(r"\"Bearer ([a-z0-9]+)\" '(.*)';", found["desktop-nginx.conf"]))
        owner = json.loads(rows[known["password"].replace("-", "")])
        viewer = json.loads(rows[known["view_password"].replace("-", "")])
        assert owner == {"socket": known["socket"], "password": known["vnc"], "view": False}
        assert viewer == {"socket": known["socket"], "password": known["view_vnc"], "view": True}
        assert f'"/screen/{known["socket"]}" 1;' in found["desktop-nginx.conf"]
        assert found["desktop-tokens"] == f"{known['token']}: unix_socket:/run/roost-desktop/vnc\n"
        assert known["token"] in found["desktop-nginx.conf"]
        assert known["vnc"] not in found["desktop-vnc"]

    def test_a_broken_file_is_made_anew(
        self, made: Callable[[], dict[str, str]], place: Path
    ) -> None:
        made()
        (place / "desktop.json").write_text("{")
        assert len(json.loads(made()["desktop.json"])) == 6


@pytest.mark.parametrize(
    ("text", "said", "hour"),
    [
        (
            "nobody has used it; it stops in 10 min. To go on: sudo roost-extend 2h",
            "Nobody has used it; it stops in 10 min.",
            True,
        ),
        (
            "its budget ends: $9.00 of $9.00; it stops in 10 min. "
            "To go on: sudo roost-extend --budget USD",
            "Its budget ends: $9.00 of $9.00; it stops in 10 min. "
            "To go on, in a terminal: sudo roost-extend --budget USD",
            False,
        ),
        ("it stops now: its end time is over", "It stops now: its end time is over", False),
        (
            'it goes on: {"end": null, "idle_not_before": "2027-01-01T12:30:00+00:00"}',
            "It goes on. Idleness stops nothing before 12:30.",
            False,
        ),
        (
            'it goes on: {"end": "2027-01-01T18:00:00+00:00"}',
            "It goes on. It ends at 18:00.",
            False,
        ),
    ],
)
def test_what_a_notice_says(
    text: str, said: str, hour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert module("ask.py").for_people(text) == (said, hour)


def test_icons_of_the_volumes(tmp_path: Path) -> None:
    def run(*words: str) -> None:
        env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        subprocess.run([sys.executable, PROGRAMS / "home.py", *words], check=True, env=env)

    for place in ("/data", "/data", "/mnt/other"):
        run(f"data={place}")
        assert os.readlink(tmp_path / "Desktop" / "data") == place
    (tmp_path / "Desktop" / "scratch").mkdir()
    run("data=/data", "scratch=/scratch")
    assert not (tmp_path / "Desktop" / "scratch").is_symlink()
    assert {file.name for file in (tmp_path / "Desktop").iterdir()} == {"data", "scratch"}


class TestDcv:
    def test_only_the_archive_that_is_known_is_taken(self, tmp_path: Path) -> None:
        program = module("dcv-install.py")
        archive, target = tmp_path / "archive", tmp_path / "there"
        archive.write_bytes(b"content")
        digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
        program.fetch(archive.as_uri(), digest, target)
        assert target.read_bytes() == b"content"
        with pytest.raises(OSError, match=f"has the SHA-256 {digest}, and should have {'0' * 64}"):
            program.fetch(archive.as_uri(), "0" * 64, target)

    def test_the_address_of_the_archive(self) -> None:
        program = module("dcv-install.py")
        assert program.address("ubuntu2404-x86_64").endswith(
            "/2025.0/Servers/nice-dcv-2025.0-20103-ubuntu2404-x86_64.tgz"
        )
        assert program.system() not in program.SHA256 or Path("/etc/os-release").exists()

    def test_the_packages_in_it(self, tmp_path: Path) -> None:
        program = module("dcv-install.py")
        below = tmp_path / "nice-dcv-2025.0-20103-ubuntu2404-x86_64"
        below.mkdir()
        names = ("nice-dcv-server", "nice-dcv-web-viewer", "nice-xdcv", "nice-dcv-gl")
        for name in names:
            (below / f"{name}_2025.0-1_amd64.ubuntu2404.deb").touch()
        found = [Path(file).name.partition("_")[0] for file in program.packages(tmp_path)]
        assert found == list(names[:3])
        (below / "nice-xdcv_2025.0-1_amd64.ubuntu2404.deb").unlink()
        with pytest.raises(OSError, match="0 packages nice-xdcv"):
            program.packages(tmp_path)

    @pytest.mark.parametrize(
        ("said", "code", "why"),
        [
            ('{ "num-of-connections" : 2,', 0, "somebody is connected to the desktop (2)\n"),
            ('{ "num-of-connections" : 0,', 1, ""),
            ("", 1, ""),
        ],
    )
    def test_who_looks_keeps_the_machine_up(
        self, said: str, code: int, why: str, tmp_path: Path
    ) -> None:
        (tmp_path / "dcv").write_text(f"#!/bin/sh\necho '{said}'\n")
        (tmp_path / "dcv").chmod(0o755)
        done = subprocess.run(
            ["sh", PROGRAMS / "dcv-busy.sh"],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (code, why)

    def test_the_password_is_in_no_argument(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl here")
        program = module("dcv-secrets.py")
        (tmp_path / "chpasswd").write_text(
            f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat >> {tmp_path}/words\n'
        )
        (tmp_path / "chpasswd").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        program.let_in("ubuntu", "abcd-efgh")
        arguments, line = (tmp_path / "words").read_text().splitlines()
        assert arguments == "--encrypted"
        assert line.startswith("ubuntu:$6$")


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    for name in ("index.html", "page.js", "page.css"):
        assert not re.search(r"https?://(?!\$)", (PROGRAMS / name).read_text())


def test_the_panel_says_what_is_left_and_the_mouse_finds_why() -> None:
    meter = module("meter.py")
    now = 1798758000.0  # 2026-12-31 23:00 UTC
    held = {"idle_s": 1800, "end": "2027-01-01T01:05:30+00:00", "budget_usd": 20.0}
    short, long = meter.said({**held, "budget_left_usd": 12.4}, ["/data"], now)
    assert short == "2 h 05 min left · $12.40 left · /data is nearly full"
    assert long.splitlines()[1:] == [
        "Of $20.00, $12.40 are left.",
        "Without use it stops after 30 min.",
        "/data is nearly full.",
        "A click gives it another hour.",
    ]
    soon = {**held, "stops_in_s": 540, "stops_because": "nobody uses it"}
    assert meter.said(soon, [], now)[0] == "stops in 9 min"
    assert meter.said({}, [], now) == ("", "A click gives it another hour.")
    assert meter.left(5 * 86400) == "5 days"
    assert all(place.startswith("/") for place in meter.nearly_full())


def test_volumes_and_downloads_are_at_the_file_managers_side_once(tmp_path: Path) -> None:
    marks = tmp_path / ".config/gtk-3.0/bookmarks"
    marks.parent.mkdir(parents=True)
    marks.write_text("file:///mine mine\n")
    for _ in range(2):
        subprocess.run(
            [sys.executable, PROGRAMS / "home.py", "data=/data", "odd=/a b"],
            check=True,
            env={"HOME": str(tmp_path)},
        )
    assert marks.read_text().splitlines() == [
        "file:///mine mine",
        f"file://{tmp_path}/Downloads",
        "file:///data",
        "file:///a%20b",
    ]
