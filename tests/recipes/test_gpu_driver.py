"""NVIDIA's driver: which machines get it, and the program with stand-ins for the system's own."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.machine import steps as machine_steps
from roost.machine.common import Failed, Machine, write
from roost.recipes.base import Context
from roost.recipes.registry import steps_of
from roost.spec import load
from tests.recipes.conftest import tell_facts

ME = pwd.getpwuid(os.getuid())
AWS = '[aws]\nregion = "eu-central-1"\n'
CLUSTER = 'kind = "cluster"\ncloud = "aws"\n'
WANTED = (
    ('kind = "desktop"\n[machine]\ntype = "g4dn.xlarge"', {"desktop"}),
    ('kind = "desktop"\n[machine]\ngpus = 1', {"desktop"}),
    ('kind = "desktop"\n[machine]\ncpus = 4', set()),
    ('kind = "classroom"\nseats = 2\n[machine]\ngpu = "T4"', {"seat"}),
    (f'{CLUSTER}[head]\ncpus = 2\n[workers]\ncount = 2\ntype = "g5.xlarge"', {"worker"}),
    (f'{CLUSTER}scheduler = "slurm"\n[head]\ngpus = 1\n[workers]\ncount = 2', {"head"}),
)
ROLES = {"desktop": ("desktop",), "classroom": ("seat",), "cluster": ("head", "worker")}
UBUNTU, DEBIAN = "ID=ubuntu\nVERSION_CODENAME=noble\n", "ID=debian\nVERSION_CODENAME=bookworm\n"


def test_all_machines_with_a_gpu_get_it_before_all_else(tmp_path: Path) -> None:
    file = tmp_path / "roost.toml"
    for text, wanted in WANTED:
        file.write_text(f'name = "stars"\n{text}\n{AWS}')
        spec = load(file)
        uploads = dict.fromkeys(("project", "roost", "environment"), "0")
        found = set()
        for role in ROLES[spec.kind]:
            names = [s.name for s in steps_of(spec, role, Context(uploads=uploads))]  # type: ignore[arg-type]
            names = [one for one in names if one != "people"]
            found |= {role} if names[:2] == ["gpu-driver", "gpu"] else set()
            assert ("gpu" in names) == (role in found)
        assert found == wanted, text


class Computer:
    """A machine whose system's programs are stand-ins that note their words."""

    def __init__(self, machine: Machine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine, self.bin, self.said = machine, root / "bin", root / "said"
        self.release, self.smi, self.loaded = root / "os-release", root / "smi", root / "loaded"
        self.bin.mkdir()
        note = f'echo "$(basename "$0") $*" >>{self.said}\n'
        answer = f"[ -e {self.smi} ] && [ -e {self.loaded} ] && echo 'GPU 0: Tesla T4'"
        self.program("nvidia-smi", answer)
        self.program("lspci", 'case $2 in 10de:) echo "00:1e.0 NVIDIA";; esac')
        self.program("uname", "echo 6.1.0-40-cloud-amd64")
        self.program("dpkg", "echo amd64")
        self.program("dmesg", "echo 'NVRM: GPU is lost'")
        self.program("modinfo", "true")
        self.program("modprobe", f"{note}touch {self.loaded}")
        self.program("ubuntu-drivers", note)
        self.program("dpkg-query", "echo 'ii  nvidia-headless-no-dkms-580-server-open'")
        self.program(
            "apt-get", f"{note}case $* in *nvidia-utils*|*nvidia-smi*) touch {self.smi};; esac"
        )
        monkeypatch.setenv("PATH", f"{self.bin}:/usr/bin:/bin")
        monkeypatch.setenv("OS_RELEASE", str(self.release))
        monkeypatch.setenv("SOURCES", str(root))
        me = pwd.struct_passwd(("me", "x", ME.pw_uid, ME.pw_gid, "", "/home/me", "/bin/sh"))
        monkeypatch.setattr(machine_steps, "user", lambda: me)
        monkeypatch.setattr(machine_steps, "run", self._run)
        tell_facts(machine, name="ndvi", role="desktop", nodes="desktop", volumes=[])
        write(machine.at("/var/lib/roost/node.json"), {"node": "desktop", "index": 0})

    def _run(self, argv: list[str], seconds: float = 60, env: object = None) -> tuple[int, str]:
        words = [str(self.machine.at(w)) if w.startswith("/usr/lib/roost") else w for w in argv[2:]]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def words(self) -> list[str]:
        found = self.said.read_text() if self.said.exists() else ""
        self.said.unlink(missing_ok=True)
        short = found.replace("-y -q install --no-install-recommends ", "")
        return short.splitlines()


@pytest.fixture
def set_up(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Computer]:
    def make(release: str) -> Computer:
        computer = Computer(machine, tmp_path, monkeypatch)
        computer.release.write_text(release)
        return computer

    return make


def install(computer: Computer, more: str = f"{AWS}[machine]\ngpus = 1\n") -> None:
    """Do the two steps as a machine does them, each for the first time."""
    folder = computer.machine.root.parent
    file = folder / "roost.toml"
    file.write_text(f'name = "a"\nkind = "desktop"\n{more}')
    for step in (s for s in steps_of(load(file), "desktop", Context()) if "gpu" in s.name[:4]):
        computer.machine.at(machine_steps.marker(step.to_json())).unlink(missing_ok=True)
        machine_steps.do(computer.machine, json.loads(json.dumps(step.to_json())))


def test_ubuntus_choice_whole_and_for_the_kernel_that_runs(set_up: Callable[..., Computer]) -> None:
    computer = set_up(UBUNTU)
    install(computer)
    chosen = [
        "apt-get ubuntu-drivers-common",
        "ubuntu-drivers install --gpgpu",
        "apt-get nvidia-utils-580-server libnvidia-gl-580-server libnvidia-encode-580-server",
    ]
    assert computer.words() == [*chosen, "modprobe nvidia"]
    install(computer)
    assert computer.words() == []  # the image has it
    computer.smi.unlink()
    computer.program("modinfo", "exit 1")
    computer.program("lspci", "echo 'NVIDIA'")
    computer.program("systemctl", f'echo "systemctl $*" >>{computer.said}')
    install(computer)
    assert computer.words() == [
        *chosen,
        "apt-get linux-headers-6.1.0-40-cloud-amd64 nvidia-dkms-580-server-open",
        "apt-get nvidia-fabricmanager-580",
        "systemctl enable --now nvidia-fabricmanager.service",
    ]


def test_debians_own_is_built_for_its_kernel(set_up: Callable[..., Computer]) -> None:
    computer = set_up(DEBIAN)
    for kernel, flavour in (
        ("6.1.0-40-cloud-amd64", "cloud-amd64"),
        ("6.12.94+deb13-cloud-amd64", "cloud-amd64"),
        ("6.1.0-0.deb11.7-amd64", "amd64"),
    ):
        computer.smi.unlink(missing_ok=True)
        computer.program("uname", f"echo {kernel}")
        install(computer)
        update, headers, driver, *_ = computer.words()
        assert (update, headers) == (
            "apt-get -q update",
            f"apt-get linux-headers-{kernel} linux-headers-{flavour}",
        )
        assert driver.startswith("apt-get nvidia-kernel-dkms nvidia-driver nvidia-smi ")
    source = (computer.bin.parent / "roost-nvidia.sources").read_text()
    assert "Suites: bookworm\nComponents: contrib non-free non-free-firmware\n" in source


def test_a_gpu_that_does_not_answer_is_a_failure_with_its_reason(
    set_up: Callable[..., Computer],
) -> None:
    computer = set_up(UBUNTU)
    ways = (
        ("lspci", "true", UBUNTU, "this machine has no NVIDIA device"),
        ("true", "true", "ID=arch\n", "no recipe for the driver on arch"),
        ("dpkg-query", "exit 1", UBUNTU, "Ubuntu has no driver for this device"),
        ("dpkg", "echo arm64", DEBIAN, "Debian has the driver for amd64 only"),
        ("modprobe", "exit 1", UBUNTU, "a restart helps"),
        ("nvidia-smi", "echo no devices were found; exit 6", UBUNTU, "nvidia-smi does not answer"),
        ("apt-get", "echo 'E: no space left'; exit 100", UBUNTU, "no space left"),
    )
    for name, body, release, why in ways:
        before = (computer.bin / name).read_text() if name != "true" else None
        computer.release.write_text(release)
        computer.program(name, body)
        computer.smi.unlink(missing_ok=True)
        with pytest.raises(Failed, match=why) as caught:
            install(computer)
        if "answer" in why:
            assert "NVRM: GPU is lost" in str(caught.value)
        if before:
            (computer.bin / name).write_text(before)


def test_a_flavor_that_nothing_describes_is_looked_at_on_the_machine(
    set_up: Callable[..., Computer], monkeypatch: pytest.MonkeyPatch
) -> None:
    computer = set_up(DEBIAN)
    site = 'cloud = "openstack"\n[machine]\n'
    devices = computer.bin.parent / "devices"
    monkeypatch.setenv("PCI", str(devices))
    for number, vendor in enumerate(("", "0x1af4\n", "0x10de0\n", "0x10de\n")):
        if vendor:
            write(devices / f"0000:00:0{number}.0/vendor", vendor)
        install(computer, f'{site}type = "g3.medium"\n')
        assert bool(computer.words()) == (vendor == "0x10de\n"), vendor
    install(computer, f"{site}cpus = 4\n")
    assert computer.words() == []
    computer.smi.unlink()
    computer.program("nvidia-smi", "exit 6")
    for key in ("gpus = 1", 'type = "g3.medium"'):
        with pytest.raises(Failed, match="nvidia-smi does not answer"):
            install(computer, f"{site}{key}\n")
