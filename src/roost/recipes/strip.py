"""Remove from Python what only readers need, because user-data is short. Pure."""

from __future__ import annotations

import ast
import io
import tokenize


def strip(source: str) -> str:
    """Remove comments, docstrings and empty lines; the result is the same on every Python."""
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
    return "".join(line + "\n" for line in lines if line)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
