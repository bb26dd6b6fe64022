"""One module of ``transfer`` deletes, and gives names: everything else asks it, with evidence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TRANSFER = Path(__file__).parents[2] / "src" / "roost" / "transfer"
LAW = TRANSFER / "deletion.py"
REQUESTS = TRANSFER / "s3" / "bucket.py"
"""The module that has S3's words, and decides nothing."""
EFFECTS = {"unlink", "rmdir", "rename", "renames", "removedirs", "rmtree"}
OF_OS = {"remove", "replace", "link"}
"""Words that strings and dataclasses have, too."""


def effects(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the word of everything that deletes a file or object, or replaces one."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=word) if word in EFFECTS:
                yield node.lineno, word
            case ast.Attribute(attr=word, value=ast.Name(id="os" | "shutil")) if word in OF_OS:
                yield node.lineno, word
            case ast.Attribute(attr="delete", value=ast.Name(id="bucket")):
                yield node.lineno, "bucket.delete"
            case ast.Attribute(attr="delete", value=ast.Attribute(attr="bucket")):
                yield node.lineno, "bucket.delete"
            case ast.Constant(value="DeleteObject" | "DeleteObjects" as word):
                yield node.lineno, word
            case ast.ImportFrom(module="os" | "shutil", names=names):
                yield from ((node.lineno, one.name) for one in names if one.name in EFFECTS | OF_OS)


def test_nothing_is_deleted_but_by_the_law() -> None:
    broken = [
        f"{path.relative_to(TRANSFER)}:{line}: {word}"
        for path in sorted(TRANSFER.rglob("*.py"))
        if path not in {LAW, REQUESTS}
        for line, word in effects(ast.parse(path.read_text()))
    ]
    assert broken == [], "ask roost.transfer.deletion, with the evidence"


@pytest.mark.parametrize(
    "text",
    [
        "path.unlink()",
        "os.unlink(x)",
        "run = os.rename",
        "os.replace(a, b)",
        "self.run.bucket.delete(keys)",
        "bucket.delete([key])",
        "client.call('DeleteObjects', 'POST')",
        "from os import unlink",
        "shutil.rmtree(x)",
    ],
)
def test_what_deletes_is_recognized(text: str) -> None:
    assert list(effects(ast.parse(text)))


def test_the_law_is_where_it_says() -> None:
    assert list(effects(ast.parse(LAW.read_text())))
