#!/usr/bin/python3
"""``meter``: the panel's word on how long this machine still runs, what is left of its budget, and
whether a disk is nearly full. ``meter more`` asks whether it shall run another hour.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

LIMITS = ("/usr/lib/roost/run", "limits")
EXTEND = ("sudo", "-n", "/usr/local/sbin/roost-extend", "1h")
NEARLY = 0.05
"""The free part of a disk below which it is nearly full."""
GIB = 2**30
DISKS = ("ext4", "ext3", "xfs", "btrfs")


def left(seconds: float) -> str:
    """Return a time as people say it: ``1 h 05 min``."""
    hours, minutes = divmod(max(int(seconds // 60), 0), 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def money(amount: float, unit: str | None) -> str:
    """Return an amount in the unit of the budget; dollars, where it names none."""
    return f"{amount:,.2f} {unit}" if unit else f"${amount:,.2f}"


def said(held: dict[str, Any], full: list[str], now: float) -> tuple[str, str]:
    """Return the panel's text, and the lines that are shown when the mouse is on it."""
    short, long = [], []
    stops, because = held.get("stops_in_s"), held.get("stops_because")
    if held.get("end"):
        end = datetime.fromisoformat(held["end"])
        short.append(f"{left(end.timestamp() - now)} left")
        long.append(f"This machine stops at {end.astimezone():%H:%M on %A}.")
    if stops is not None:
        short = [f"stops in {left(stops)}"]
        long.append(f"It stops because {because}.")
    if held.get("budget_usd") is not None and held.get("budget_left_usd") is not None:
        unit, rest = held.get("budget_unit"), held["budget_left_usd"]
        short.append(f"{money(rest, unit)} left")
        long.append(f"Of {money(held['budget_usd'], unit)}, {money(rest, unit)} are left.")
    if held.get("idle_s"):
        long.append(f"Without use it stops after {left(held['idle_s'])}.")
    short += [f"{place} is nearly full" for place in full]
    long += [f"{place} is nearly full." for place in full]
    return " · ".join(short), "\n".join([*long, "A click gives it another hour."])


def nearly_full() -> list[str]:
    """Return the places whose disks are nearly full."""
    found = []
    for line in Path("/proc/mounts").read_text().splitlines():
        device, place, kind = line.split()[:3]
        if kind in DISKS and device.startswith("/dev/"):
            usage = shutil.disk_usage(place.encode().decode("unicode_escape"))
            if usage.free < min(NEARLY * usage.total, 5 * GIB):
                found.append(place)
    return sorted(set(found))


def limits() -> dict[str, Any]:
    """Return what stops this machine; nothing where it cannot be told now."""
    try:
        answer = subprocess.run(LIMITS, capture_output=True, timeout=30, check=True)
        found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return found if isinstance(found, dict) else {}


def more() -> None:
    """Ask, and extend after a click."""
    words = ["notify-send", "--app-name=roost", "--icon=appointment-soon"]
    text = said(limits(), nearly_full(), time.time())[1].rpartition("\n")[0]
    ask = [*words, "--action=hour=One more hour", "--", "This machine", text or "It has no end."]
    if subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == "hour":
        done = subprocess.run(EXTEND, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            subprocess.run([*words, "--", "This machine", done.stderr.strip()[:500]], check=False)


def main() -> None:
    """Print what xfce4-genmon-plugin shows, or ask."""
    if sys.argv[1:] == ["more"]:
        more()
        return
    short, long = said(limits(), nearly_full(), time.time())
    sys.stdout.write(f"<txt>{escape(short)}</txt><tool>{escape(long)}</tool>\n")
    sys.stdout.write(f"<txtclick>{sys.argv[0]} more</txtclick>\n")


if __name__ == "__main__":
    main()
