"""On which line of a TOML file does a key stand?

tomllib reads values and forgets places. This reads places and forgets values; it is given only
files that tomllib has accepted, so it need not find errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEYS = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_TABLE = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_KEYS})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*({_KEYS})[ \t]*=")
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'|#[^\n]*|[\[\]{}\n]|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)


def key_lines(text: str) -> dict[Path, int]:
    """The line (1-based) of every key and table, by its path; ``("volumes", 0, "size")``."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        if header := _TABLE.match(statement):
            table = _resolve(_split(header[2]), counts, header[1] == "[[")
            found.setdefault(table, line)
        elif assignment := _ASSIGNMENT.match(statement):
            keys = _split(assignment[1])
            for depth in range(1, len(keys) + 1):
                found.setdefault((*table, *keys[:depth]), line)
    return found


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of ``path``, or of the nearest table or key around it."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _statements(text: str) -> list[tuple[int, str]]:
    """Statements with their first line; what is inside brackets or texts ends none."""
    found = []
    line, start, depth, begun = 1, 1, 0, ""
    for piece in _PIECE.findall(text.replace("\r\n", "\n")):
        if piece == "\n" and depth == 0:
            found.append((start, begun))
            begun, start = "", line + 1
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(piece, 0)
            begun += "" if piece.startswith("#") else piece
        line += piece.count("\n")
    return [*found, (start, begun)]


def _split(keys: str) -> tuple[str, ...]:
    return tuple(_bare(key) for key in re.findall(_KEY, keys))


def _bare(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    if key.startswith('"'):
        return re.sub(r"\\(.)", r"\1", key[1:-1])
    return key


def _resolve(keys: tuple[str, ...], counts: dict[Path, int], array: bool) -> Path:
    """The path of a table's header: names of arrays are followed by the number of the last one."""
    path: Path = ()
    for depth, key in enumerate(keys, 1):
        path = (*path, key)
        if array and depth == len(keys):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
