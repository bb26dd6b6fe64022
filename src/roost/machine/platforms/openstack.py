"""OpenStack: the metadata service or the config drive, and disks by the ids of their volumes.

A device's name is a hint only (two volumes may change places at any boot), so no name is read: the
server's metadata says which volume belongs in a place, and the disk itself says which volume it is.
"""

from __future__ import annotations

import json
import re
import ssl
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roost.machine.common import Machine, read, run

SERVICE = "http://169.254.169.254/openstack/latest/meta_data.json"
DRIVES = ("/run/roost/config-drive", "/config-drive")
"""Where the config drive is mounted: by this program, or as a container has it."""
LABELS = ("config-2", "CONFIG-2")
MOST = 1 << 20
"""Bytes of an answer that are read."""
TRIES, PAUSE = 3, 20.0
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SERIALS = ("serial", "device/serial", "device/wwid", "device/vpd_pg80")
"""Where the kernel has what a disk calls itself: virtio-blk's first 20 characters, scsi's all."""
SHORT = 20
NOTHING = "roost-asks-whether-it-may"
"""An action that Nova does not have: it does nothing, and says 400 to whoever may act."""
RIGHT = "/etc/roost/secrets/server-right"
"""The machine's limited right on itself, which the hand-over brings: only root reads it."""


@dataclass(slots=True)
class Platform:
    """Nova's data on this machine: live from its metadata service, else from the config drive."""

    service: str = SERVICE
    machine: Machine = field(default_factory=Machine)

    def get(self) -> dict[str, Any]:
        """Return ``meta_data.json``. Raises OSError where neither has it."""
        try:
            with urllib.request.urlopen(self.service, timeout=5) as answer:  # noqa: S310 - a constant
                text = answer.read(MOST)
        except OSError:
            text = drive(self.machine)
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
            if isinstance(found, dict):
                return found
        raise OSError("meta_data.json is no JSON object")

    def launch_index(self) -> int:
        """Return this machine's number in its launch. Raises OSError without an answer."""
        index = self.get().get("launch_index", 0)
        if type(index) is not int or index < 0:
            raise OSError(f"meta_data.json has the launch_index {index!r}")
        return index

    def device(self, machine: Machine, wanted: str) -> str | None:
        """Return the disk of the volume in the slot ``wanted``; None until both are known."""
        try:
            meta = self.get().get("meta")
        except OSError:
            return None
        volume = meta.get(f"roost_volume_{wanted}") if isinstance(meta, dict) else None
        if not isinstance(volume, str) or not re.fullmatch(UUID, volume):
            return None
        return find(machine, volume)

    def stop(self) -> None:
        """Shelve this server where it may, so that it costs nothing; power off in any case.

        Nova takes a server that switches itself off while it is being shelved as it is; if the
        shelving fails after all, at least nothing runs.
        """
        right = read(self.machine.at(RIGHT))
        if right:
            run(["sync"])
            self._shelve(right)
        run(["systemctl", "poweroff"])

    def _shelve(self, right: dict[str, Any]) -> None:
        """Shelve it; a site that has a bad moment is asked again."""
        for left in range(TRIES, 0, -1):
            try:
                act(right, "shelve")
                self.machine.log("stop: the server is being shelved")
                return
            except Exception as why:
                self.machine.log(f"stop: not shelved, so it may go on costing: {why!r}")
                if left == 1 or getattr(why, "code", 0) in (401, 403, 404):
                    return
            time.sleep(PAUSE)

    def trouble(self) -> str:
        """Return why this machine cannot end what it costs though it should; "" if it can."""
        right = read(self.machine.at(RIGHT))
        try:
            if right:
                act(right, NOTHING)
        except urllib.error.HTTPError as why:
            # Nova has let it in, and knows no such action.
            return "" if why.code == 400 and "/servers/" in why.url else f"{why.url}: {why}"
        except Exception as why:
            return f"{right.get('identity')}: {why}"
        return ""


def drive(machine: Machine) -> bytes:
    """Return the config drive's ``meta_data.json``, as it was at the launch. Raises OSError."""
    files = [machine.at(f"{place}/openstack/latest/meta_data.json") for place in DRIVES]
    disks = [machine.at(f"/dev/disk/by-label/{label}") for label in LABELS]
    disk = next((one for one in disks if one.exists()), None)
    if disk is not None and not any(file.is_file() for file in files):
        place = machine.at(DRIVES[0])
        place.mkdir(parents=True, exist_ok=True)
        run(["mount", "-o", "ro", str(disk), str(place)])
    for file in files:
        if file.is_file():
            return file.read_bytes()
    raise OSError("neither the metadata service nor a config drive answers")


def find(machine: Machine, volume: str) -> str | None:
    """Return the one disk that calls itself ``volume`` (an id); None where none or two do.

    By the kernel's own word; by udev's link where the kernel has none. A link of a disk that has
    gone may lead to another one: it counts only where the disk does not call itself otherwise.
    """
    found = set()
    for disk in machine.at("/sys/block").glob("*"):
        if any(is_of(said, volume) for said in serials(disk)):
            found.add(str(machine.at(f"/dev/{disk.name}").resolve()))
    for link in machine.at("/dev/disk/by-id").glob("*"):
        if link.exists() and is_of(link.name.removeprefix("virtio-"), volume):
            path = link.resolve()
            if not serials(machine.at(f"/sys/block/{path.name}")):
                found.add(str(path))
    return found.pop() if len(found) == 1 else None


def serials(disk: Path) -> list[str]:
    """Return what a disk calls itself, as the kernel has it."""
    found = []
    for name in SERIALS:
        with suppress(OSError):
            text = (disk / name).read_bytes().decode("ascii", "ignore").strip("\0\n ")
            found += [text] if text else []
    return found


def is_of(said: str, volume: str) -> bool:
    """Tell whether a disk's serial is that of a volume: whole at its end, or cut by virtio."""
    return said == volume[:SHORT] or re.search(rf"(^|[^0-9a-f]){volume}$", said) is not None


def act(right: dict[str, Any], what: str) -> None:
    """Do something with the server, by the limited right on it. Raises OSError, KeyError."""
    trust = ssl.create_default_context(cadata=right.get("ca"))
    who = {"id": right["id"], "secret": right["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": who}
    token = ask(f"{right['identity']}/auth/tokens", {"auth": {"identity": identity}}, "", trust)
    ask(f"{right['compute']}/servers/{right['server']}/action", {what: None}, token, trust)


def ask(url: str, content: dict[str, Any], token: str, trust: ssl.SSLContext) -> str:
    """Post JSON; return the token of the answer, if it has one. Raises OSError."""
    if not url.startswith(("http://", "https://")):
        raise OSError(f"no address of a site: {url}")
    headers = {"Content-Type": "application/json", "X-Auth-Token": token}
    headers = {name: text for name, text in headers.items() if text}
    body = json.dumps(content).encode()
    asked = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked
    with urllib.request.urlopen(asked, timeout=30, context=trust) as answer:  # noqa: S310
        return str(answer.headers.get("X-Subject-Token", ""))
