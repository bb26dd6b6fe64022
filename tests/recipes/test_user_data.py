"""User-data, whole: what a desktop and a worker of a cluster are told."""

from __future__ import annotations

import ast
import gzip
import json
import os
import random
import shutil
import string
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roost import machine as programs
from roost.errors import UsageError
from roost.model.resources import Instance, Role, Shape
from roost.providers.rules import rules_of
from roost.recipes.programs import machine_programs
from roost.recipes.rented import boot
from roost.recipes.strip import strip
from roost.recipes.user_data import (
    File,
    MachineBudget,
    MachineFacts,
    MachineVolume,
    Rates,
    cloud_config,
    document,
    facts_of,
    machine_files,
    machine_json,
    program,
    user_data,
)
from roost.spec import load

HERE = Path(__file__).parent
AWS, OPENSTACK = rules_of("aws"), rules_of("openstack")
EXAMPLES = HERE.parents[1] / "examples"
DEVICES = ("/dev/sdf", "/dev/sdg", "/dev/sdh")

DESKTOP = MachineFacts(
    name="pixinsight",
    nodes="desktop",
    role="desktop",
    volumes=(
        MachineVolume(name="data", device="/dev/sdf", mount="/data", warm=True),
        MachineVolume(name="scratch", device="/dev/sdg", mount="/scratch", scratch=True),
    ),
    idle=2700,
    end=datetime(2027, 3, 12, 19, tzinfo=UTC),
    budget=MachineBudget(usd=300, at_end="park", running=1.25, stopped=0.0625),
    timezone="Europe/Berlin",
    personal=(".relion",),
)
WORKER = MachineFacts(
    name="ndvi",
    nodes="worker-1..1000",
    role="worker",
    head="10.0.0.5",
    idle=1800,
    packages=("htop", "vim"),
    spot=True,
    files=(File("/etc/roost/retire.d/10-dask", "#!/bin/sh\nexit 0\n", "0755"),),
)


def golden(facts: MachineFacts) -> dict[str, Any]:
    """The document, with programs and units by their names only."""
    found = cloud_config(facts)
    for file in found["write_files"]:
        if file["path"].startswith(("/usr/lib/roost", "/etc/systemd", "/etc/udev")):
            file["content"] = "..."
    return found


@pytest.mark.golden
@pytest.mark.parametrize(("name", "facts"), [("desktop", DESKTOP), ("worker", WORKER)])
def test_the_whole_document(name: str, facts: MachineFacts) -> None:
    """`make docs` writes it."""
    path = HERE / "golden" / f"{name}.json"
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        path.write_text(json.dumps(golden(facts), indent=1) + "\n")
    assert golden(facts) == json.loads(path.read_text())


@pytest.mark.parametrize("facts", [DESKTOP, WORKER])
def test_it_is_packed_and_short_enough(facts: MachineFacts) -> None:
    packed = user_data(facts, AWS)
    first, rest = gzip.decompress(packed).decode().split("\n", 1)
    assert first == "#cloud-config"
    assert json.loads(rest) == cloud_config(facts)
    assert len(packed) <= 16384
    assert user_data(facts, AWS) == packed


def test_a_machine_with_all_that_a_file_can_say_fits() -> None:
    """As many volumes as a machine has, all of them warm, and many packages."""
    volumes = tuple(
        MachineVolume(
            name=f"volume-of-the-group-{n}", device=f"/dev/sd{letter}", mount=f"/mnt/{n}", warm=True
        )
        for n, letter in enumerate("fghijklmnop")
    )
    packages = (
        *("build-essential", "cmake", "ffmpeg", "gfortran", "git-lfs", "graphviz", "htop"),
        *("imagemagick", "libgdal-dev", "libgeos-dev", "libopenmpi-dev", "libproj-dev"),
        *("ninja-build", "octave", "openmpi-bin", "r-base", "texlive-latex-extra", "tmux", "vim"),
    )
    name = "a-cluster-with-the-longest-nam"
    roles: tuple[Role, ...] = ("head", "desktop")
    for role in roles:
        facts = replace(
            DESKTOP, name=name, nodes=role, role=role, volumes=volumes, packages=packages
        )
        assert len(user_data(facts, AWS)) <= AWS.launch.most_user_data


def test_as_yaml_it_says_the_same() -> None:
    yaml = pytest.importorskip("yaml")
    odd = File("/x", "é \U0001f52d\ttab: # {}\n'\"\\ ${x} {{ y }}\n")
    for facts in (DESKTOP, WORKER, MachineFacts(name="a", nodes="head", role="head", files=(odd,))):
        assert yaml.safe_load(document(facts)) == cloud_config(facts)


def test_what_is_too_long_is_refused() -> None:
    noise = "".join(random.Random(1).choices(string.printable, k=20_000))
    with pytest.raises(UsageError, match=r"user-data of \d+ bytes; AWS takes 16384"):
        user_data(
            MachineFacts(name="a", nodes="head", role="head", files=(File("/x", noise),)), AWS
        )


def test_the_rules_of_a_cloud_choose_what_its_machines_are_launched_with() -> None:
    """OpenStack's own module, no notices of spot machines, and room for much more."""
    spec = load(EXAMPLES / "ndvi.toml", cloud="openstack")
    shape = Shape(type="m1.large", cpus=4, memory_gib=8, image="debian-12", disk_gib=20, spot=True)
    worker = Instance(name="worker-1", role="worker", shape=shape)
    packed = boot(spec.to_json(), "worker-1..2", worker, "10.0.0.5", ("0",))
    files = json.loads(gzip.decompress(packed).decode().split("\n", 1)[1])["write_files"]
    content = {file["path"]: file["content"] for file in files}
    assert json.loads(content["/etc/roost/machine.json"])["platform"] == "openstack"
    mine = {Path(path).stem for path in content if "/machine/platforms/" in path}
    assert mine == {"__init__", "openstack"}
    assert not any("spot" in path for path in content)
    assert len(packed) < OPENSTACK.launch.most_user_data == 49_149
    noise = "".join(random.Random(1).choices(string.printable, k=20_000))
    long = MachineFacts(name="a", nodes="head", role="head", files=(File("/x", noise),))
    assert len(user_data(long, OPENSTACK)) > AWS.launch.most_user_data


def test_only_the_units_that_a_machine_needs() -> None:
    def units(facts: MachineFacts) -> set[str]:
        return {
            Path(f.path).name for f in machine_files(facts) if f.path.startswith("/etc/systemd")
        }

    common = {f"roost-{u}" for u in ("setup.service", "guard.service", "guard.timer")}
    common |= {"roost-volumes.service", "roost-volumes.timer"}
    common |= {"roost-last-resort.service", "roost-last-resort.timer"}
    assert units(DESKTOP) == common | {"roost-warm.service"}
    assert units(WORKER) == common | {"roost-spot.service"}
    head = MachineFacts(name="a", nodes="head", role="head")
    assert units(head) == common | {"roost-beacon.service"}


# --- from the examples ---------------------------------------------------------------------------


def test_pixinsight() -> None:
    spec = load(EXAMPLES / "pixinsight.toml")
    facts = facts_of(spec, "desktop", "desktop", DEVICES, rates=Rates(running=1.5, stopped=0.1))
    assert facts == MachineFacts(
        name="pixinsight",
        nodes="desktop",
        role="desktop",
        volumes=(MachineVolume(name="data", device="/dev/sdf", mount="/data"),),
        idle=2700,
        budget=MachineBudget(usd=300.0, running=1.5, stopped=0.1),
    )


def test_scipion_has_a_scratch_volume_and_a_warm_one() -> None:
    spec = load(EXAMPLES / "scipion.toml")
    facts = facts_of(spec, "desktop", "desktop", DEVICES, warm=frozenset({"data"}))
    assert facts.volumes == (
        MachineVolume(name="data", device="/dev/sdf", mount="/data", warm=True),
        MachineVolume(name="scratch", device="/dev/sdg", mount="/scratch", scratch=True),
    )
    assert [v["mode"] for v in machine_json(facts)["volumes"]] == ["0755", "1777"]
    assert facts.budget is None


def test_a_classroom_shares_its_budget() -> None:
    spec = load(EXAMPLES / "training.toml")
    facts = facts_of(spec, "seat", "seat-1..20", DEVICES, rates=Rates(running=0.6, stopped=0.01))
    assert facts.budget == MachineBudget(usd=19.047619, running=0.6, stopped=0.01)  # 400 / 21
    assert machine_json(facts)["end"] == "2027-03-12T20:00:00+01:00"


def test_a_clusters_volumes_are_the_heads_and_its_workers_spot() -> None:
    spec = load(EXAMPLES / "starcluster.toml")
    head = facts_of(spec, "head", "head", DEVICES)
    worker = facts_of(spec, "worker", "worker-1..3", DEVICES, head="10.0.0.5")
    assert [v.name for v in head.volumes] == ["shared"]
    assert (worker.volumes, worker.head, worker.spot) == ((), "10.0.0.5", False)
    assert head.packages == ("htop", "vim")
    ndvi = load(EXAMPLES / "ndvi.toml", cloud="aws")
    assert facts_of(ndvi, "worker", "worker-1..2", DEVICES).spot
    assert not facts_of(ndvi, "head", "head", DEVICES).spot


# --- the programs --------------------------------------------------------------------------------


def modules() -> list[str]:
    at = Path(str(programs.__file__)).parent
    found = (*at.glob("*.py"), *at.glob("platforms/*.py"))
    return sorted(str(path.relative_to(at).with_suffix("")) for path in found)


@pytest.mark.parametrize("name", modules())
def test_a_stripped_program_is_the_same_program(name: str) -> None:
    source = (Path(str(programs.__file__)).parent / f"{name}.py").read_text()
    short = strip(source)
    assert '"""' not in short
    assert ast.dump(ast.parse(short)) == ast.dump(_bare(ast.parse(source)))
    assert program(name).content == short


def _bare(tree: ast.Module) -> ast.Module:
    """Without texts that stand alone, and types of arguments and results, with their imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            tree.body.remove(node)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        body = getattr(node, "body", None)
        if isinstance(body, list):
            left = [
                x
                for x in body
                if not (isinstance(x, ast.Expr) and isinstance(x.value, ast.Constant))
            ]
            node.body = left or ([] if isinstance(node, ast.Module) else [ast.Pass()])  # type: ignore[attr-defined]
    return tree


def test_strings_with_hashes_stay() -> None:
    source = '#!/x\n"""Doc."""\na = "# no comment"  # one\n\n# two\nb = """\n# text\n"""\n'
    assert strip(source) == '#!/x\na = "# no comment"\nb = """\n# text\n"""\n'
    source = 'def f():\n    if 1:\n        return """a\n    b"""\n'
    assert strip(source) == 'def f():\n if 1:\n  return """a\n    b"""\n'


def test_the_programs_need_nothing_but_python(tmp_path: Path) -> None:
    """Installed as on a machine, away from roost, each is imported."""
    given = [(file.path, file.content) for file in machine_files(WORKER)]
    given += [(f"/usr/lib/roost/{path}", text) for path, text in machine_programs().items()]
    for at, content in given:
        path = tmp_path / at.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    names = [f"roost.machine.{name.replace('/', '.')}" for name in modules() if "__" not in name]
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-S",
            "-c",
            f"import {', '.join(names)}, roost; print(roost.__file__)",
        ],
        env={"PYTHONPATH": str(tmp_path / "usr/lib/roost")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == str(tmp_path / "usr/lib/roost/roost/__init__.py"), done.stderr


# --- what the systems' own tools say -------------------------------------------------------------


@pytest.mark.parametrize("facts", [DESKTOP, WORKER])
def test_cloud_init_takes_it(facts: MachineFacts, tmp_path: Path) -> None:
    cloud_init = os.environ.get("ROOST_CLOUD_INIT") or shutil.which("cloud-init")
    if cloud_init is None:
        pytest.skip("no cloud-init here")
    path = tmp_path / "user-data"
    path.write_bytes(gzip.decompress(user_data(facts, AWS)))
    done = subprocess.run(
        [*cloud_init.split(), "schema", "--config-file", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout + done.stderr


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    run = program("guard")
    units = []
    for facts in (DESKTOP, WORKER, MachineFacts(name="a", nodes="head", role="head")):
        for file in machine_files(facts):
            if file.path.startswith("/etc/systemd"):
                path = tmp_path / Path(file.path).name
                # systemd-analyze wants the program to be there.
                path.write_text(file.content.replace("/usr/lib/roost/run", "/bin/true"))
                units.append(str(path))
    assert "def main" in run.content
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(set(units))],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "roost-" in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_shells_take_the_scripts() -> None:
    scripts = sorted((Path(str(programs.__file__)).parent / "system").glob("*.sh"))
    assert [s.name for s in scripts] == ["begin.sh", "last-resort.sh", "motd.sh", "run.sh"]
    for script in scripts:
        subprocess.run(["sh", "-n", script], check=True, timeout=60)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "sh", *scripts], check=True, timeout=60)
