"""The debug log: what roost does, line by line, on stderr, with ``--debug``.

``ROOST_DEBUG=1`` in the environment is the switch, so that programs which roost starts follow it.
Nothing that is secret is ever written: every line goes through ``redacted``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from datetime import datetime

VARIABLE = "ROOST_DEBUG"
REMOVED = "[removed]"
ASSIGNED = re.compile(r"(?i)(?:secret|token|password|passwd|api[_-]?key)\w*[\"']?\s*[:=]\s*")
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|(?<=://)[^/\s@]+:[^/\s@]+(?=@)"
    r"|(?i:(?<=[?&#]token=)|(?<=[?&#]password=)|(?<=X-Amz-Signature=)|(?<=X-Amz-Security-Token=)"
    r"|(?<=X-Amz-Credential=)|(?<=authorization: ))[^\s&\"']+"
    r"|(?i:(?:secret|token|password|passwd|api[_-]?key)\w*[\"']?\s*[:=]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s,;}&\"']+)",
    re.DOTALL,
)
"""Private keys, AWS keys, names and passwords in addresses, and what is assigned to such names."""


def debugging() -> bool:
    """Return whether the debug log is switched on."""
    return os.environ.get(VARIABLE, "0") not in ("", "0")


def debug(area: str, text: str) -> None:
    """Write one line: the time, the area ("plan", "aws", "ssh"), and what is done."""
    if not debugging():
        return
    now = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
    lines = redacted(text).splitlines() or [""]
    try:
        sys.stderr.write("".join(f"debug {now} {area:5} {line}\n" for line in lines))
    except OSError:  # nobody reads it any more; the work goes on
        return


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Return ``text`` without secrets: ``known`` ones, and whatever looks like one."""
    for secret in sorted({s for s in known if len(s) >= 6}, key=len, reverse=True):
        text = text.replace(secret, REMOVED)
    return SECRETS.sub(_removed, text)


def _removed(match: re.Match[str]) -> str:
    """Keep the name that something was assigned to: ``token = [removed]``."""
    name = re.match(
        r"(?i)(?:secret|token|password|passwd|api[_-]?key)\w*[\"']?\s*[:=]\s*", match[0]
    )
    return f"{name[0]}{REMOVED}" if name else REMOVED
