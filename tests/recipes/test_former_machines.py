"""Machines that an older roost launched, whose programs were ``roost.recipes.machine``.

``golden/former-user-data.gz`` is the user-data that such a roost wrote (``zcat`` shows it).
"""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from roost.machine import apply
from roost.machine.common import Machine
from roost.provision.bundle import Part
from roost.recipes.registry import Handover

HERE = Path(__file__).parent
LIB = "usr/lib/roost"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Such a machine, to which the roost of today has handed over nothing but its programs."""
    text = gzip.decompress((HERE / "golden" / "former-user-data.gz").read_bytes()).decode()
    for file in json.loads(text.partition("\n")[2])["write_files"]:
        path = tmp_path / file["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["content"])
        path.chmod(int(file["permissions"], 8))
    run = tmp_path / LIB / "run"
    here = run.read_text().replace("/usr/bin/python3", sys.executable)
    run.write_text(here.replace("/usr/lib/roost", str(tmp_path / LIB)))
    sent = io.BytesIO()
    Part(Handover(steps=()), pytest.fail).write(sent, frozenset(), lambda _: None)
    sent.seek(0)
    incoming = tmp_path / "incoming"
    with tarfile.open(fileobj=sent) as tar:
        tar.extractall(incoming)  # written three lines above; Debian's 3.11.2 has no filter=
    apply.receive(Machine(tmp_path), incoming, [])
    return tmp_path


def started(root: Path) -> set[str]:
    """The programs that the machine's units and ``roost-extend`` run."""
    units = (root / "etc/systemd/system").glob("roost-*.service")
    return {"extend", *re.findall(r"/run (\w+)", "".join(unit.read_text() for unit in units))}


def python(root: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-S", "-c", code],
        env={"PYTHONPATH": str(root / LIB)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_program_that_it_starts_is_the_one_of_today(root: Path) -> None:
    assert started(root) == {"setup", "guard", "volumes", "warm", "extend"}
    for name in started(root) - {"warm"}:
        code = f"from roost.recipes.machine import {name} as x; x.main; print(x.__file__)"
        assert python(root, code) == str(root / LIB / f"roost/machine/{name}.py")


def test_what_is_called_otherwise_today_still_runs(root: Path) -> None:
    (root / "disk").write_bytes(b"x" * 5000)
    code = (
        "import os; vars(os).pop('O_DIRECT', None)\n"  # a file need not take direct reads
        "from pathlib import Path\n"
        "from roost.recipes.machine import warm\n"
        f"root = Path({str(root)!r})\n"
        "entry = {'device': str(root / 'disk'), 'uuid': 'u'}\n"
        "print(warm.__file__, warm.warm(warm.Machine(root), 'data', entry))"
    )
    assert python(root, code) == f"{root / LIB}/roost/recipes/machine/warm.py 5000"


def test_its_own_program_starts_them(root: Path) -> None:
    done = subprocess.run(
        [root / LIB / "run", "extend", "nonsense"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("roost-extend: a length of time: ")
