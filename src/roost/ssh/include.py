"""The one line in the user's own SSH configuration, so that ``ssh roost-NAME`` and editors work."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from roost.errors import UsageError
from roost.ssh.config import quoted
from roost.ssh.paths import all_names

MARK = "# roost: machines as roost-NAME (roost ssh-config --remove takes this out)"


def line() -> str:
    """Return ``Include "<home>/ssh/names/*/config"``. Raises UsageError for an unsafe path."""
    place = all_names()
    # OpenSSH 9.9 began to read tokens (%) here; before, none could be escaped.
    if any(sign in str(place) for sign in "%*?["):
        raise UsageError(
            f"OpenSSH cannot include files of a folder with %, *, ? or [: {place}",
            next="export ROOST_HOME=...   (a plain path)",
        )
    return f"Include {quoted(place / '*' / 'config')}"


def with_line(text: str, include: str) -> str:
    """Return the text with the line at its top, once. Pure."""
    return f"{MARK}\n{include}\n\n{without_line(text, include)}"


def without_line(text: str, include: str) -> str:
    """Return the text without the line, its mark, and the empty line after it. Pure."""
    lines = text.splitlines(keepends=True)
    kept: list[str] = []
    after = False
    for one in lines:
        if one.strip() in (MARK, include):
            after = True
        elif after and not one.strip():
            after = False
        else:
            after = False
            kept.append(one)
    return "".join(kept)


def user_config() -> Path:
    """Return the file that the user's own ssh reads."""
    return Path.home() / ".ssh" / "config"


def installed() -> bool:
    """Tell whether the line is there."""
    found = line()
    return any(one.strip() == found for one in _read().splitlines())


def install() -> None:
    """Put the line in; all else, and the file's mode, stay."""
    _write(with_line(_read(), line()))


def remove() -> None:
    """Take the line out; all else, and the file's mode, stay."""
    if installed():
        _write(without_line(_read(), line()))


def _read() -> str:
    try:
        return user_config().read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _write(text: str) -> None:
    """Write the file whole or not at all; a file that is a link elsewhere stays one."""
    file = Path(os.path.realpath(user_config()))
    user_config().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o600
    temporary = file.with_name(f".{file.name}.roost.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(text.encode(errors="surrogateescape"))
        out.flush()
        os.fsync(out.fileno())
    temporary.chmod(mode)
    temporary.replace(file)
