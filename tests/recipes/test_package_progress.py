"""The wait for packages says how many of them are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.machine import apt, setup, steps
from roost.machine.common import Failed, Machine, read, write

APT = """#!/bin/sh
case "$*" in *install*) ;; *) exit 0;; esac
echo "Reading package lists..."
echo "0 upgraded, 3 newly installed, 0 to remove and 5 not upgraded."
for n in 1 2 3; do echo "Get:$n http://deb.example/ bookworm/main amd64 lamp-$n [5 kB]"; done
for what in Unpacking "Setting up"; do
    for n in 1 2 3; do echo "$what lamp-$n (1) ..."; done
done
[ ! -e "$0.broken" ] || { echo "E: no wood"; exit 100; }
"""


def test_packages_are_counted_as_apt_goes_on(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_, told = tmp_path / "bin", list[str]()
    bin_.mkdir()
    for name in ("apt-get", "dpkg"):
        (bin_ / name).write_text(APT)
        (bin_ / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    progress = apt.Progress(machine, "installing 1 packages", every=0)
    monkeypatch.setattr(progress, "tell", told.append)
    setup.install(["lamp"], progress.run)
    assert told == [
        *(f"{n} of 3 fetched" for n in (1, 2, 3)),
        *(f"{n} of 3 unpacked" for n in (1, 2, 3)),
        *(f"{n} of 3 set up" for n in (1, 2, 3)),
    ]
    write(machine.status, {"step": 2, "name": "installing 1 packages", "handover": "a"})
    setup.install(["lamp"], steps.progress(machine, "installing 1 packages"))
    name = "installing 1 packages: 1 of 3 fetched"  # once a second
    assert read(machine.status) == {"step": 2, "name": name, "handover": "a"}
    (bin_ / "apt-get.broken").touch()
    with pytest.raises(Failed, match="apt-get -y ended with 100: "):
        setup.install(["lamp"], progress.run)
    assert progress.run(["sh", "-c", "echo a; exec sleep 9"], seconds=0.2)[0] == 124
    assert progress.run(["roost-no-such-program"])[0] == 127
