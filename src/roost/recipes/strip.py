"""Remove from Python what only readers need, because user-data is short. Pure."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator


def strip(source: str) -> str:
    """Remove comments, docstrings, empty lines, types of arguments and results, and their imports.

    Indent by one space: a fiftieth of what is left when it is packed.

    The result is the same on every Python.
    """
    source = _without_types(source)
    tree = ast.parse(source)
    lines: list[str | None] = list(source.splitlines())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        alone = all(_is_text(one) for one in body)
        for text in [one for one in body if _is_text(one)]:
            first = lines[text.lineno - 1] or ""
            keep = alone and text is body[0] and not isinstance(node, ast.Module)
            for number in range(text.lineno - 1, text.end_lineno or text.lineno):
                lines[number] = None
            if keep:
                lines[text.lineno - 1] = first[: text.col_offset] + "pass"
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            if not (row == 1 and token.string.startswith("#!")):
                line = lines[row - 1]
                lines[row - 1] = None if line is None else line[:column].rstrip()
    within, unread = _within_texts(tree), _for_types(tree)
    return "".join(
        (line if number in within else _narrow(line)) + "\n"
        for number, line in enumerate(lines, 1)
        if line and number not in unread
    )


def _for_types(tree: ast.AST) -> set[int]:
    """Return the lines of what is imported for types only."""
    tests = (n for n in ast.walk(tree) if isinstance(n, ast.If))
    unread = (n for n in tests if ast.unparse(n.test) == "TYPE_CHECKING")
    return {row for one in unread for row in range(one.lineno, (one.end_lineno or 0) + 1)}


def _within_texts(tree: ast.AST) -> set[int]:
    """Return the lines that begin in a text, whose blanks are its own."""
    texts = (n for n in ast.walk(tree) if isinstance(n, ast.Constant | ast.JoinedStr))
    return {row for one in texts for row in range(one.lineno + 1, (one.end_lineno or 0) + 1)}


def _narrow(line: str) -> str:
    bare = line.lstrip(" ")
    wide, odd = divmod(len(line) - len(bare), 4)
    return " " * (wide + odd) + bare


def _without_types(source: str) -> str:
    """Remove annotations of functions. Those of fields stay: they make a dataclass."""
    lines = [line.encode() for line in source.splitlines()]
    for note in sorted(_annotations(ast.parse(source)), key=lambda n: (n.lineno, n.col_offset))[
        ::-1
    ]:
        row = note.lineno - 1
        if note.end_lineno != note.lineno:
            continue
        before = lines[row][: note.col_offset].rstrip()
        before = before.removesuffix(b":").removesuffix(b"->").rstrip()
        lines[row] = before + lines[row][note.end_col_offset :]
    return b"\n".join(lines).decode() + "\n"


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            yield node.annotation
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            yield node.returns


def strip_shell(source: str) -> str:
    """Remove the comments of a shell script that have a line of their own, but for the first."""
    first, *lines = source.splitlines()
    kept = (line for line in lines if line.strip() and not line.strip().startswith("#"))
    return "\n".join((first, *kept)) + "\n"


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
