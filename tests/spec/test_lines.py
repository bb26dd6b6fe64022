"""Lines of keys: documents are written from structures, so that every line is known."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from roost.spec.lines import Path, key_lines, line_of
from tests.laws import examples

ODD = "a\n\"\\#[]{}=.,' \té☃\x07"
names = st.one_of(
    st.sampled_from(["a", "b", "c", "size", "42", "-", "_"]),
    st.text(alphabet=ODD + "ab", max_size=4),
)
breaks = st.lists(
    st.sampled_from(["", "   ", "# a comment", "\t# [a] = {", "#'''", '# """']), max_size=2
)


class Writer:
    """Writes TOML, and notes on which line each key begins."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[Path, int] = {}

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def one_of(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def new_line(self) -> None:
        """An end of line, and perhaps blank lines and comments."""
        self.text += self.one_of("", " ", "  # [b]") + "\n"
        for text in self.draw(breaks):
            self.text += f"{text}\n"

    def space(self) -> str:
        return self.one_of("", " ", "\t ")

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.line)

    # --- keys ----------------------------------------------------------------------------------

    def key(self, name: str) -> str:
        ways = [quoted(name)]
        if name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
            ways.append(name)
        if not set(name) & set("'\n\x07"):
            ways.append(f"'{name}'")
        return self.one_of(*ways)

    def keys(self, *names: str) -> str:
        dot = f"{self.space()}.{self.space()}"
        return dot.join(self.key(name) for name in names)

    # --- values --------------------------------------------------------------------------------

    def simple(self) -> str:
        return self.one_of(
            "1",
            "-2.5e3",
            "true",
            "inf",
            "1979-05-27 07:32:00Z",
            "07:32:00",
            '""',
            "''",
            '"# [a] \\" = \\\\"',
            "'[[a]] \" = \\'",
            '""""""',
            "''''''",
            '"""one "quoted" \\""" # still\n[a]\nb = 1\\\n   """',
            "'''\n\"\"\"\n[c]\na = ''\n'''",
            '"""ends in quotes"""""',
            "'''ends in quotes''''",
        )

    def value(self, path: Path, depth: int) -> None:
        what = self.one_of("simple", "list", "table") if depth else "simple"
        if what == "list":
            self.list(path, depth)
        elif what == "table":
            self.inline(path, depth)
        else:
            self.text += self.simple()

    def list(self, path: Path, depth: int) -> None:
        count = self.draw(st.integers(0, 3))
        self.text += "["
        for number in range(count):
            self.gap()
            self.note((*path, number))
            self.value((*path, number), depth - 1)
            self.gap()
            self.text += "," if number < count - 1 else self.one_of("", ",")
        self.gap()
        self.text += "]"

    def gap(self) -> None:
        """Between the entries of a list may be line ends."""
        if self.draw(st.booleans()):
            self.new_line()
        self.text += self.space()

    def inline(self, path: Path, depth: int) -> None:
        self.text += "{" + self.space()
        for number, name in enumerate(self.draw(st.lists(names, max_size=3, unique=True))):
            self.text += f",{self.space()}" if number else ""
            self.assign(path, (name,), depth - 1)
        self.text += "}"

    def assign(self, table: Path, keys: tuple[str, ...], depth: int) -> None:
        for end in range(1, len(keys) + 1):
            self.note((*table, *keys[:end]))
        self.text += f"{self.space()}{self.keys(*keys)}{self.space()}={self.space()}"
        self.value((*table, *keys), depth)
        self.text += self.space()

    # --- tables --------------------------------------------------------------------------------

    def body(self, table: Path, used: set[str]) -> None:
        """Keys of a table, some of them dotted."""
        for name in self.draw(st.lists(names, max_size=3, unique=True)):
            if name not in used:
                used.add(name)
                dotted = self.draw(st.lists(names, max_size=2))
                self.assign(table, (name, *dotted), depth=2)
                self.new_line()

    def table(self, path: Path, keys: tuple[str, ...], depth: int) -> None:
        used: set[str] = set()
        self.lines[path] = self.line
        self.text += f"{self.space()}[{self.space()}{self.keys(*keys)}{self.space()}]"
        self.new_line()
        self.body(path, used)
        self.below(path, keys, used, depth)

    def array(self, path: Path, keys: tuple[str, ...], depth: int) -> None:
        self.note(path)
        for number in range(self.draw(st.integers(1, 3))):
            self.note((*path, number))
            self.text += f"{self.space()}[[{self.space()}{self.keys(*keys)}{self.space()}]]"
            self.new_line()
            used: set[str] = set()
            self.body((*path, number), used)
            self.below((*path, number), keys, used, depth)

    def below(self, path: Path, keys: tuple[str, ...], used: set[str], depth: int) -> None:
        """Tables in a table; a table may be skipped, and be there because of one in it."""
        for name in self.draw(st.lists(names, max_size=3 if depth else 0, unique=True)):
            if name in used:
                continue
            used.add(name)
            what = self.one_of("table", "array", "implicit")
            inner, inner_keys = (*path, name), (*keys, name)
            if what == "array":
                self.array(inner, inner_keys, depth - 1)
            elif what == "table":
                self.table(inner, inner_keys, depth - 1)
            else:
                self.note(inner)
                self.table((*inner, "deep"), (*inner_keys, "deep"), depth - 1)
                if self.draw(st.booleans()):  # the header comes later, and is what counts
                    self.lines[inner] = self.line
                    self.text += f"[{self.keys(*inner_keys)}]"
                    self.new_line()
                    self.body(inner, {"deep"})


def quoted(name: str) -> str:
    """A basic string, with escapes."""
    escapes = {"\n": "\\n", '"': '\\"', "\\": "\\\\", "\t": "\\t", "\x07": "\\u0007"}
    escapes["é"] = "\\U000000e9"
    return '"' + "".join(escapes.get(c, c) for c in name) + '"'


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    writer = Writer(draw)
    for text in draw(breaks):
        writer.text += f"{text}\n"
    used: set[str] = set()
    writer.body((), used)
    writer.below((), (), used, depth=3)
    return writer.text, writer.lines


def paths_of(value: Any, path: Path = ()) -> set[Path]:
    """Every key, table and entry that tomllib finds."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = {(*path, key) for key, _ in inside}
    for key in found.copy():
        if isinstance(value[key[-1]], dict | list):
            found |= paths_of(value[key[-1]], key)
    return found


@settings(max_examples=examples(100), deadline=None)
@given(documents())
def test_every_key_has_its_line(document: tuple[str, dict[Path, int]]) -> None:
    text, lines = document
    assert paths_of(tomllib.loads(text)) == lines.keys()
    assert key_lines(text) == lines
    assert key_lines(text.replace("\n", "\r\n")) == lines  # a file from Windows


@given(st.text(alphabet=ODD + "ab1-\r", max_size=60))
def test_whatever_tomllib_accepts_is_read(text: str) -> None:
    """And the keys are those that tomllib finds."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert key_lines(text).keys() == paths_of(raw)


marks = ["a", "b", "=", "1", "[", "]", "[[", "]]", "{", "}", ",", ".", "#", "a=1", "a.b="]
marks += ['"', "'", '"""', "'''", "\\", '"a\\n"']
pieces = st.sampled_from([*marks, "\n", "\r\n", " ", "a = 1\n", "[a]\n", "[[b]]\n"])


@settings(max_examples=examples(1000), deadline=None)
@given(st.lists(pieces, max_size=25).map("".join))
def test_whatever_tomllib_accepts_of_pieces_is_read(text: str) -> None:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert key_lines(text).keys() == paths_of(raw)


def test_the_nearest_line() -> None:
    lines = key_lines('name = "a"\n[workers]\ncount = 2\n\n[[volumes]]\n[[volumes]]\nsize = 1\n')
    assert line_of(("workers", "count"), lines) == 3
    assert line_of(("workers", "spot"), lines) == 2
    assert line_of(("volumes", 1, "size", "x"), lines) == 7
    assert line_of(("volumes", 0, "size"), lines) == 5
    assert line_of(("volumes",), lines) == 5
    assert line_of(("head",), lines) is None
    assert line_of((), lines) is None


def test_an_explicit_header_counts_more_than_one_of_a_table_inside() -> None:
    assert key_lines("[a.b]\n[a]\nc = 1\n") == {("a",): 2, ("a", "b"): 1, ("a", "c"): 3}


def test_entries_of_lists_and_inline_tables() -> None:
    text = 'pull = [\n  { from = "a", to = [\n 1, 2 ] },\n\n  { from = "b" },\n]\n'
    assert key_lines(text) == {
        ("pull",): 1,
        ("pull", 0): 2,
        ("pull", 0, "from"): 2,
        ("pull", 0, "to"): 2,
        ("pull", 0, "to", 0): 3,
        ("pull", 0, "to", 1): 3,
        ("pull", 1): 5,
        ("pull", 1, "from"): 5,
    }
