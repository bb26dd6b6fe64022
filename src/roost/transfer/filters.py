"""A filter of names: ``--include`` and ``--exclude``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os.path import commonprefix


@dataclass(frozen=True, slots=True)
class NameFilter:
    """The names that take part: they fit an ``include`` (if there are any) and no ``exclude``.

    ``begins``: how each of them begins, if that is known.
    """

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    begins: str = ""

    def __call__(self, name: str) -> bool:
        """Tell if a name takes part."""
        if self.include and not any(one.fullmatch(name) for one in self.include):
            return False
        return not any(one.fullmatch(name) for one in self.exclude)

    def cuts(self, folder: str) -> bool:
        """Tell if nothing in a folder takes part, whatever its name is."""
        return any(one.fullmatch(f"{folder.rstrip('/')}/") for one in self.exclude)

    def enters(self, folder: str) -> bool:
        """Tell if something in a folder may take part, so that it must be looked into."""
        folder = f"{folder.rstrip('/')}/"
        begins = self.begins
        return (begins.startswith(folder) or folder.startswith(begins)) and not self.cuts(folder)


def name_filter(include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> NameFilter:
    """Return a filter of names.

    ``*`` and ``?`` stay within one part of a path, ``**`` crosses parts. A pattern without a
    slash fits the last part of a name; one that fits a folder fits all that is in it.
    """
    begins = commonprefix([_literal(one) for one in include]) if include else ""  # noqa: RUF071
    return NameFilter(tuple(map(_regex, include)), tuple(map(_regex, exclude)), begins)


def _literal(glob: str) -> str:
    """Return how all names begin that a pattern fits; "" where it fits anywhere."""
    if "/" not in glob.removesuffix("/"):
        return ""
    return re.split(r"[*?[]", glob.removeprefix("/").removesuffix("/"), maxsplit=1)[0]


def _regex(glob: str) -> re.Pattern[str]:
    text = glob.removeprefix("/").removesuffix("/")
    anywhere = "/" not in text and not glob.startswith("/")
    return re.compile(("(?:.*/)?" if anywhere else "") + _body(text) + "(?:/.*)?", re.DOTALL)


def _body(glob: str) -> str:
    out, at = "", 0
    while at < len(glob):
        one = glob[at]
        if glob.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            out, at = out + ".*", at + 2
        elif one == "[" and "]" in glob[at + 2 :]:
            end = glob.index("]", at + 2)
            inner = glob[at + 1 : end].replace("\\", "\\\\")
            inner = "^" + inner[1:] if inner.startswith("!") else inner.replace("^", "\\^")
            out, at = f"{out}(?!/)[{inner}]", end + 1
        else:
            out, at = out + {"*": "[^/]*", "?": "[^/]"}.get(one, re.escape(one)), at + 1
    return out
