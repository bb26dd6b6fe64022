"""On which line of a TOML file does a key stand?

tomllib reads values and forgets places. This reads places and forgets values; it is given only
files that tomllib has accepted, so it need not find errors.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

Path = tuple[str | int, ...]

_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'|#[^\n]*|[\[\]{},=\n]|[^\"'#\[\]{},=\n]+",
    re.DOTALL,
)
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")


def key_lines(text: str) -> dict[Path, int]:
    """Return the line (1-based) of every key, table and entry of a list, by its path.

    Entries are counted from 0: ``("volumes", 0, "size")``.
    """
    return _Reader(text).document()


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of ``path``, or of the nearest table or key around it."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


class _Reader:
    """Goes through the pieces of a file once, and notes where things begin."""

    def __init__(self, text: str) -> None:
        self.pieces = _pieces(text.replace("\r\n", "\n"))
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.last: dict[Path, int] = {}
        """The number of the last table of each array of tables."""

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip("\n"):
            table = self._header() if self._piece == "[" else self._assignment(table)
        return self.lines

    @property
    def _piece(self) -> str:
        return self.pieces[self.at][1] if self.at < len(self.pieces) else ""

    @property
    def _line(self) -> int:
        return self.pieces[self.at][0]

    def _skip(self, *passed: str) -> bool:
        """Skip to the next piece of another kind; return False at the end."""
        while self._piece in passed:
            self.at += 1
        return bool(self._piece)

    def _key(self, end: str) -> tuple[str, ...]:
        """Read the key's parts; the next piece is the one after ``end``."""
        begin = self.at
        while self._piece not in (end, ""):
            self.at += 1
        self.at += 1
        return _split("".join(piece for _, piece in self.pieces[begin : self.at - 1]))

    def _header(self) -> Path:
        """Read ``[a.b]`` or ``[[a.b]]``: the table of the keys that follow."""
        line, begin = self._line, self.at
        self._skip("[")
        array = self.at - begin == 2
        keys = self._key("]")
        self._skip("]")
        path: Path = ()
        for key in keys[:-1]:
            path = self._implicit((*path, key), line)
        path = (*path, keys[-1])
        if array:
            self.lines.setdefault(path, line)
            self.last[path] = self.last.get(path, -1) + 1
            path = (*path, self.last[path])
        self.lines[path] = line
        return path

    def _implicit(self, path: Path, line: int) -> Path:
        """Return the path of an enclosing table; of an array of tables, its last one."""
        self.lines.setdefault(path, line)
        return (*path, self.last[path]) if path in self.last else path

    def _assignment(self, table: Path) -> Path:
        """Read ``a.b = value``; return the table that it stands in."""
        line = self._line
        path = table
        for key in self._key("="):
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._value(path)
        return table

    def _value(self, path: Path) -> None:
        """Skip a value; read a list or an inline table."""
        opened = self._piece
        self.at += 1
        if opened == "{":
            while self._skip("\n", ",") and self._piece != "}":
                self._assignment(path)
            self.at += 1
        elif opened == "[":
            number = 0
            while self._skip("\n", ",") and self._piece != "]":
                self.lines[(*path, number)] = self._line
                self._value((*path, number))
                number += 1
            self.at += 1


def _pieces(text: str) -> list[tuple[int, str]]:
    """Split into pieces that are neither blank nor a comment, each with its line."""
    found = []
    line = 1
    for piece in _PIECE.findall(text):
        if piece == "\n" or not (piece.startswith("#") or piece.isspace()):
            found.append((line, piece))
        line += piece.count("\n")
    return found


def _split(keys: str) -> tuple[str, ...]:
    """Split ``a."b.c"`` into ``("a", "b.c")``."""
    return tuple(_bare(key) for key in _KEY.findall(keys))


def _bare(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key
