"""Data volumes: find, format if blank, mount by UUID, grow; at each run.

ext4, because its tools are on every image, and because it grows while it is mounted. What is
there already is mounted as it is.
"""

from __future__ import annotations

import os
import pwd
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from roost.machine.common import Machine, read, run, write
from roost.machine.devices import Content, decide, probe, size_of
from roost.machine.platform import platform_of

STATE = "/var/lib/roost/volumes.json"
FORMATTING = "/var/lib/roost/formatting"
"""A file for each volume that was found blank and whose formatting may not be finished."""
HOUR = 3600


class Refused(Exception):  # noqa: N818 - a decision, not a failure
    """The refusal to use a volume, with its reason."""


def settle(machine: Machine) -> dict[str, Any]:
    """Mount every volume of the facts in its place; store the result of each, and return it."""
    with machine.alone("volumes"):
        before = read(machine.at(STATE))
        taken: dict[str, str] = {}
        now = {}
        for volume in machine.facts.get("volumes", []):
            found = _one(machine, volume, before.get(volume["name"], {}), taken)
            if found.get("uuid"):
                taken[found["uuid"]] = volume["name"]
            now[volume["name"]] = found
        if now != before:
            for name, found in now.items():
                if found != before.get(name):
                    machine.log(f"volume {name}: {found['state']}: {found['note']}")
            write(machine.at(STATE), now)
        return now


def _one(
    machine: Machine, volume: dict[str, Any], before: dict[str, Any], taken: dict[str, str]
) -> dict[str, Any]:
    path = platform_of(machine).device(machine, volume["device"])
    if path is None:
        return {"state": "waiting", "note": f"{volume['device']} is not attached"}
    try:
        return _placed(machine, volume, path, before, taken)
    except (Refused, OSError) as why:
        return {"state": "refused", "note": str(why), "device": path}


def _placed(
    machine: Machine,
    volume: dict[str, Any],
    path: str,
    before: dict[str, Any],
    taken: dict[str, str],
) -> dict[str, Any]:
    mount = machine.at(volume["mount"])
    there = mounted(machine, str(mount))
    if there is None:
        content = ready(machine, volume, path)
        if content.uuid in taken:
            raise Refused(f"its file system is a copy of {taken[content.uuid]}'s (same UUID)")
        enter(machine, volume, content)
        _mount(volume, path, mount, str(content.kind))
        before = {}
        uuid_, kind = content.uuid, content.kind
    elif os.path.realpath(there) != os.path.realpath(path):
        raise Refused(f"{volume['mount']} is taken by {there}")
    elif "uuid" in before:
        uuid_, kind = before["uuid"], before["fs"]
    else:
        found = probe(path)
        uuid_, kind = found.uuid, found.kind
        enter(machine, volume, found)
    _own(machine, volume, mount, str(uuid_))
    placed = {"state": "mounted", "device": path, "uuid": uuid_, "fs": kind}
    placed["serial"] = _serial(path)
    size = size_of(path)
    why = grow(path, mount, str(kind)) if before.get("bytes") != size else ""
    if why:  # without its size it is tried again the next time
        return {**placed, "note": f"{path} on {volume['mount']}; it did not grow: {why}"}
    return {**placed, "note": f"{path} on {volume['mount']}", "bytes": size}


def ready(machine: Machine, volume: dict[str, Any], path: str) -> Content:
    """Return the content of the device, once it has a file system; format a blank one."""
    content = probe(path)
    verdict, why = decide(content)
    marker = machine.at(f"{FORMATTING}/{volume['name']}")
    serial = _serial(path)
    half_done = serial is not None and read(marker).get("serial") == serial
    # Only what we ourselves found blank, and were formatting when the machine went off.
    if verdict == "refuse" and half_done and content.kind is None and content.table is None:
        verdict = "format"
    if verdict == "refuse":
        raise Refused(why)
    if verdict == "mount":
        return content
    chosen = str(uuid.uuid4())
    write(marker, {"serial": serial, "uuid": chosen})
    label = volume["name"][:16]
    argv = ["mkfs.ext4", "-q", "-F", "-m", "0", "-L", label, "-U", chosen, path]
    machine.log(f"volume {volume['name']}: formatting {path}: {why}")
    code, said = run(argv, seconds=HOUR)
    if code:
        raise Refused(f"mkfs.ext4 ended with {code}: {said.strip()[-300:]}")
    made = probe(path)
    if made.uuid != chosen:
        raise Refused("mkfs.ext4 was done, and its file system cannot be seen")
    return made


def _serial(path: str) -> str | None:
    place = Path("/sys/class/block", Path(path).name)
    for name in ("device/serial", "serial", "device/wwid"):  # NVMe, virtio, SCSI
        with suppress(OSError):
            return (place / name).read_text().strip() or None
    return None


def mounted(machine: Machine, mount: str) -> str | None:
    """Return the device that is mounted there."""
    found = None
    for line in machine.at("/proc/mounts").read_text().splitlines():
        device, place = line.split()[:2]
        if place.encode().decode("unicode_escape") == mount:
            found = device
    return found


def enter(machine: Machine, volume: dict[str, Any], content: Content) -> None:
    """Write its line in fstab, by UUID; a machine without the volume boots all the same."""
    table = machine.at("/etc/fstab")
    mine = f"x-roost={volume['name']}"
    options = f"defaults,noatime,nofail,x-systemd.device-timeout=30s,{mine}"
    check = 2 if str(content.kind).startswith("ext") else 0
    line = f"UUID={content.uuid} {volume['mount']} {content.kind} {options} 0 {check}"
    old = table.read_text().splitlines() if table.exists() else []
    kept = [one for one in old if not _is_line_of(one, mine)]
    if [*kept, line] != old:
        write(table, "\n".join([*kept, line]) + "\n")
        run(["systemctl", "daemon-reload"])


def _is_line_of(line: str, mine: str) -> bool:
    words = line.split()
    return len(words) > 3 and not line.startswith("#") and mine in words[3].split(",")


def _mount(volume: dict[str, Any], path: str, mount: Path, kind: str) -> None:
    mount.mkdir(parents=True, exist_ok=True)
    hidden = sum(1 for _ in mount.iterdir())
    options = f"noatime,x-roost={volume['name']}"
    code, said = run(["mount", "-t", kind, "-o", options, path, str(mount)], seconds=600)
    if code:
        raise Refused(f"mount ended with {code}: {said.strip()[-300:]}")
    if hidden:
        sys.stderr.write(f"{hidden} files in {mount} are hidden below the volume\n")


def _own(machine: Machine, volume: dict[str, Any], mount: Path, found: str) -> None:
    """Give a new file system to the user; leave an existing one as it is."""
    marker = machine.at(f"{FORMATTING}/{volume['name']}")
    if read(marker).get("uuid") != found:
        return
    user = first_user()
    if user is not None:
        os.chown(mount, *user)
    mount.chmod(int(volume["mode"], 8))
    marker.unlink()


def first_user() -> tuple[int, int] | None:
    """Return cloud-init's user: uid 1000 on all images."""
    try:
        found = pwd.getpwuid(1000)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid


def grow(path: str, mount: Path, kind: str) -> str:
    """Grow the file system to the size of its volume; return why not, if it cannot."""
    argv = {
        "xfs": ["xfs_growfs", str(mount)],
        "btrfs": ["btrfs", "filesystem", "resize", "max", str(mount)],
    }.get(kind, ["resize2fs", path])
    code, said = run(argv, seconds=HOUR)
    return f"{argv[0]} ended with {code}: {said.strip()[-300:]}" if code else ""


def wait(machine: Machine, patience: float) -> dict[str, Any]:
    """Run ``settle`` until all volumes are attached (after the launch), or patience ends."""
    deadline = time.monotonic() + patience
    while True:
        found = settle(machine)
        if all(one["state"] != "waiting" for one in found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(2)


def main() -> None:
    """Run for the timer, and for udev."""
    settle(Machine())


if __name__ == "__main__":
    main()
