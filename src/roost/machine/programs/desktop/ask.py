#!/usr/bin/python3
"""``ask TEXT``: show a notice on the user's desktop; one click gives the machine an hour."""

from __future__ import annotations

import json
import pwd
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

USER = 1000
EXTEND = "/usr/local/sbin/roost-extend"
LAST = Path("/run/roost/desktop-notice")
"""The number of the notice that is shown: the next one takes its place."""
MINUTE = 60_000


def for_people(text: str) -> tuple[str, bool]:
    """Return the text to show, and whether another hour helps."""
    what, _, how = text.partition(" To go on: ")
    if what.startswith("it goes on: "):
        return _goes_on(what.removeprefix("it goes on: ")), False
    if "--budget" in how:
        what += f" To go on, in a terminal: {how}"
    return f"{what[:1].upper()}{what[1:]}", bool(how) and "--budget" not in how


def _goes_on(answer: str) -> str:
    found = json.loads(answer)
    said = ["It goes on."]
    for key, words in (("idle_not_before", "Idleness stops nothing before"), ("end", "It ends at")):
        if found.get(key):
            said.append(f"{words} {datetime.fromisoformat(found[key]).astimezone():%H:%M}.")
    return " ".join(said)


def show(text: str, *, hour: bool) -> bool:
    """Show the notice, until a click if it asks; return whether the user wants the hour."""
    user = pwd.getpwuid(USER).pw_name
    last = LAST.read_text().strip() if LAST.exists() else ""
    words = ["notify-send", "--app-name=roost", "--icon=appointment-soon", "--print-id"]
    words += [f"--replace-id={last}"] if re.fullmatch("[0-9]+", last) else []
    words += ["--urgency=critical", "--action=hour=One more hour"] if hour else []
    words += [] if hour else [f"--expire-time={MINUTE}"]
    bus = f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{USER}/bus"
    # By lines: the number is needed while the notice is still there.
    as_user = ["runuser", "-u", user, "--", "env", bus, "stdbuf", "-oL"]
    line = [*as_user, *words, "--", "This machine", text]
    clicked = False
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as asked:
        for said in asked.stdout or ():
            if said.strip().isdigit():
                LAST.write_text(said)
            clicked = clicked or said.strip() == "hour"
    return clicked


def main() -> None:
    """Run outside our own unit: the notice of an extension ends this program."""
    text, hour = for_people(sys.argv[1])
    if show(text, hour=hour):
        subprocess.run(["systemd-run", "--quiet", "--collect", EXTEND, "1h"], check=True)


if __name__ == "__main__":
    main()
