"""Which machine of its launch this is: all of one launch share their user-data."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from roost.machine.common import Machine, read, write

SERVICE = "http://169.254.169.254/latest"
TOKEN, TTL = "X-aws-ec2-metadata-token", "X-aws-ec2-metadata-token-ttl-seconds"


@dataclass(slots=True)
class Metadata:
    """The cloud's own word on this instance (IMDSv2)."""

    service: str = SERVICE
    token: str = ""

    def get(self, path: str) -> str | None:
        """One item; None where there is none. Raises OSError where nobody answers."""
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


def names(launch: str) -> list[str]:
    """The nodes of a launch, by launch index: ``"worker-1..3 worker-7"`` has four."""
    found: list[str] = []
    for part in launch.split():
        first, dots, last = part.partition("..")
        stem, _, number = first.rpartition("-")
        if dots and stem and number.isdigit() and last.isdigit():
            found += [f"{stem}-{one}" for one in range(int(number), int(last) + 1)]
        else:
            found.append(part)
    return found


def node(machine: Machine, metadata: Metadata, patience: float = 120) -> str:
    """This machine's name, asked for once in its life; waits for the network."""
    kept = machine.at("/var/lib/roost/node.json")
    if "node" in read(kept):
        return str(read(kept)["node"])
    launch = names(machine.facts["nodes"])
    deadline = time.monotonic() + patience
    while True:
        try:
            index = int(metadata.get("ami-launch-index") or 0)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise OSError(
                    f"the metadata service did not say which machine this is: {error}"
                ) from None
            time.sleep(1)
    if index >= len(launch):
        raise ValueError(f"launch index {index}, but the launch is {machine.facts['nodes']}")
    write(kept, {"node": launch[index], "index": index})
    return launch[index]
