"""EC2: the metadata service, and the names under which EBS attaches volumes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
import struct
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from roost.machine.common import Machine, run

SERVICE = "http://169.254.169.254/latest"
TOKEN, TTL = "X-aws-ec2-metadata-token", "X-aws-ec2-metadata-token-ttl-seconds"
NVME_ADMIN = 0xC0484E41
"""``NVME_IOCTL_ADMIN_CMD`` of linux/nvme_ioctl.h: a command of 72 bytes."""
IDENTIFY, CONTROLLER = 0x06, 1
EBS = "Amazon Elastic Block Store"
PAGE = 4096
VENDOR = 3072
"""Where, in what an EBS controller says of itself, the name stands that EC2 gave the device."""


@dataclass(slots=True)
class Platform:
    """EC2's data on this machine, from its metadata service (IMDSv2)."""

    service: str = SERVICE
    token: str = ""

    def get(self, path: str) -> str | None:
        """Return one item; None where there is none. Raises OSError where nobody answers."""
        for fresh in (not self.token, True):
            if fresh:
                self.token = self._ask("/api/token", "PUT", {TTL: "21600"})
            try:
                return self._ask(
                    f"/meta-data/{path}", "GET", {"X-aws-ec2-metadata-token": self.token}
                )
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                if error.code != 401:  # the token has run out
                    raise
        raise OSError("the metadata service refuses its own token")

    def _ask(self, path: str, method: str, headers: dict[str, str]) -> str:
        asked = urllib.request.Request(self.service + path, method=method, headers=headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 - a constant
            return str(answer.read().decode())

    def launch_index(self) -> int:
        """Return this machine's number in its launch."""
        return int(self.get("ami-launch-index") or 0)

    def device(self, machine: Machine, wanted: str) -> str | None:
        """Return the path of the device that was attached as ``wanted``."""
        return find(machine, wanted)

    def stop(self) -> None:
        """Power off: roost launches its machines so that they stop then, and stay."""
        run(["systemctl", "poweroff"])

    def trouble(self) -> str:
        """Return "": what is off costs no machine."""
        return ""


def identify(path: str) -> bytes:
    """Return what an NVMe controller identifies as. Raises OSError if it is none, or not root."""
    page = ctypes.create_string_buffer(PAGE)
    fields = (IDENTIFY, 0, 0, 0, 0, 0, 0, ctypes.addressof(page), 0, PAGE, CONTROLLER)
    command = struct.pack("<BBHIIIQQIIIIIIIIII", *fields, 0, 0, 0, 0, 0, 0, 0)
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(opened, NVME_ADMIN, bytearray(command))
    finally:
        os.close(opened)
    return page.raw


def ebs_name(page: bytes) -> str | None:
    """Return ``"sdf"`` as EC2 calls it, from ``identify``; None where this is no EBS volume."""
    if page[24:64].decode("ascii", "replace").strip() != EBS:
        return None
    name = page[VENDOR : VENDOR + 32].split(b"\0")[0].decode("ascii", "replace").strip()
    return name.removeprefix("/dev/") or None


def find(
    machine: Machine, wanted: str, identified: Callable[[str], bytes] = identify
) -> str | None:
    """Return the path of the device that EC2 attached as ``wanted`` (``"/dev/sdf"``), or None.

    By udev's link, by the name that older machines (Xen) give it, or by what the NVMe
    controllers say.
    """
    short = wanted.removeprefix("/dev/")
    alike = {short, short.replace("sd", "xvd", 1)}
    for name in sorted(alike):
        path = machine.at(f"/dev/{name}")
        if path.exists() and stat.S_ISBLK(path.stat().st_mode):
            return str(path.resolve())
    for disk in sorted(machine.at("/sys/block").glob("nvme*n*")):
        path = machine.at(f"/dev/{disk.name}")
        try:
            if ebs_name(identified(str(path))) in alike:
                return str(path)
        except OSError:
            continue
    return None
