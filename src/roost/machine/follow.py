"""Report the progress of the set-up: a line of JSON for each change."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from roost.machine import limits
from roost.machine.apply import is_of_now, kick
from roost.machine.common import Machine, read
from roost.machine.platform import platform_of

LINES = 12
LOG = "/var/log/roost.log"
PAUSE = 0.5
STALLED = 30.0
"""Seconds after which a set-up that has not begun with this hand-over is begun again."""


def follow(machine: Machine, digest: str, stalled: float = STALLED) -> Iterator[dict[str, Any]]:
    """Yield each state of the set-up, until it is done or has failed with this hand-over."""
    last: dict[str, Any] | None = None
    waited = 0.0
    while True:
        now = read(machine.status)
        if now and now != last:
            last = now
            over = now["state"] in ("done", "failed") and is_of_now(machine, now, digest)
            log = _tail(machine) if now["state"] == "failed" else []
            ends = (_limits(machine), _trouble(machine)) if over else (None, "")
            yield {**now, "over": over, "log": log, "limits": ends[0], "trouble": ends[1]}
            if over:
                return
            waited = 0.0
        time.sleep(PAUSE)
        waited += PAUSE
        if waited >= stalled and not is_of_now(machine, now, digest):
            # The hand-over came just as a set-up ended.
            kick(machine, digest)
            waited = 0.0


def _limits(machine: Machine) -> dict[str, Any] | None:
    """Return what stops the machine, read back; None where that cannot be read."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        return limits.held(machine, time.time())
    return None


def _trouble(machine: Machine) -> str:
    """Return why the machine would go on costing once it has stopped by itself."""
    with suppress(Exception):
        return platform_of(machine).trouble()
    return ""


def _tail(machine: Machine) -> list[str]:
    try:
        return machine.at(LOG).read_text(errors="replace").splitlines()[-LINES:]
    except OSError:
        return []


def main() -> None:
    """Run ``follow DIGEST``; exit with 0 where the set-up is done, with 1 where it failed."""
    machine = Machine()
    state = ""
    for found in follow(machine, sys.argv[1]):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
        state = found["state"]
    sys.exit(0 if state == "done" else 1)


if __name__ == "__main__":
    main()
