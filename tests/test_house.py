"""The house rules that no linter knows: one place for what differs by cloud, and small files.

Outside ``providers/`` nobody asks which cloud it is: whoever needs something of a cloud asks for a
capability. Type checkers cannot see a comparison of names, so this looks at the source.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "src" / "roost"
PROVIDERS = SOURCES / "providers"
CLOUDS = {
    "openstack",
    *(path.parent.name for path in PROVIDERS.glob("*/__init__.py")),
}
"""Every word by which a cloud could be told apart."""
ASKED = ("cloud", "provider")
"""How variables end that hold a cloud or a provider."""
LARGEST_COMMAND, LARGEST = 150, 400
"""Lines of a file in cli/commands, and of any other."""

ALLOWED: dict[str, dict[str, int]] = {}
"""What is not done yet, by file and rule: it may only shrink, and is to become nothing."""


def breaches(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the rule of each place that asks which cloud it is."""
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        for rule, breaks in RULES.items():
            if breaks(node):
                yield node.lineno, rule  # type: ignore[attr-defined]


def asks_the_name(node: ast.AST) -> bool:
    """Compare or match a cloud's name, or choose by it from a table."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=rest):
            sides = zip(ops, [left, *rest[:-1]], rest, strict=True)
            return any(_compares(*side) for side in sides)
        case ast.MatchValue(value=value):
            return _is_name(value)
        case ast.Dict(keys=keys):
            return sum(key is not None and _is_name(key) for key in keys) > 1
    return False


def asks_the_class(node: ast.AST) -> bool:
    """Ask for the class of a cloud or a provider."""
    match node:
        case ast.MatchClass(cls=cls):
            return _is_class(cls)
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
            return any(_is_class(kind) for kind in ast.walk(kinds))
    return False


def asks_for_an_attribute(node: ast.AST) -> bool:
    """Ask whether a cloud has an attribute that is not in its protocol."""
    match node:
        case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[subject, *_]):
            return _last_word(subject).lower().endswith(ASKED)
    return False


def imports_a_provider(node: ast.AST) -> bool:
    """Import a cloud's own module: at once, late, for types, or by a string."""
    match node:
        case ast.Import(names=names):
            return any(_is_module(name.name) for name in names)
        case ast.ImportFrom(module=str(module), names=names):
            return any(map(_is_module, (module, *(f"{module}.{name.name}" for name in names))))
        case ast.Constant(value=str(text)):
            return text == "roost.providers." or _is_module(text.partition(":")[0])
    return False


RULES = {
    "name": asks_the_name,
    "class": asks_the_class,
    "getattr": asks_for_an_attribute,
    "import": imports_a_provider,
}


def _compares(op: ast.cmpop, left: ast.expr, right: ast.expr) -> bool:
    """Whether a value is compared with a cloud's name; ``"aws" in table`` asks for a table."""
    if isinstance(op, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
        return _is_name(left) or _is_name(right)
    choices = right.elts if isinstance(right, ast.Tuple | ast.List | ast.Set) else []
    return any(map(_is_name, choices))


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in CLOUDS


def _is_class(node: ast.AST) -> bool:
    word = _last_word(node)
    return word != "Cloud" and word.endswith(("Cloud", "Provider"))


def _last_word(node: ast.AST) -> str:
    """``cloud`` of ``cloud``, ``self.cloud`` and ``self.cloud()``."""
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
        case ast.Call(func=function):
            return _last_word(function)
    return ""


def _is_module(name: str) -> bool:
    words = name.split(".")
    return words[:2] == ["roost", "providers"] and len(words) > 2 and words[2] in CLOUDS


def broken_rules(path: Path) -> Counter[str]:
    """How often a file breaks each rule."""
    text = path.read_text()
    found: Counter[str] = Counter()
    if not path.is_relative_to(PROVIDERS):
        found.update(rule for _, rule in breaches(ast.parse(text)))
    largest = LARGEST_COMMAND if path.parent == SOURCES / "cli" / "commands" else LARGEST
    if text.count("\n") > largest:
        found["length"] = 1
    return found


def test_nobody_above_the_providers_asks_which_cloud_it_is_and_files_are_small() -> None:
    found = {
        str(path.relative_to(SOURCES)): dict(broken)
        for path in sorted(SOURCES.rglob("*.py"))
        if (broken := broken_rules(path))
    }
    new = {
        path: {rule: n for rule, n in rules.items() if n > ALLOWED.get(path, {}).get(rule, 0)}
        for path, rules in found.items()
    }
    assert {path: rules for path, rules in new.items() if rules} == {}, (
        "ask for a capability (roost.providers.provider), or split the file"
    )
    assert found == ALLOWED, "some of ALLOWED is done: take it out"


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ('if spec.cloud == "aws": pass', "name"),
        ('if "local" != cloud.name: pass', "name"),
        ('if cloud.name in ("aws", "openstack"): pass', "name"),
        ('if cloud.name not in {"local"}: pass', "name"),
        ('x = 1 if a == b == "local" else 2', "name"),
        ('match cloud.name:\n    case "aws" | "fake": pass', "name"),
        ('text = {"aws": "Amazon", "local": "here"}[spec.cloud]', "name"),
        ("match cloud:\n    case AwsCloud(): pass", "class"),
        ("isinstance(cloud, AwsCloud)", "class"),
        ("isinstance(provider, (int, aws.AwsProvider))", "class"),
        ("isinstance(found, LocalCloud | FakeCloud)", "class"),
        ('getattr(cloud, "region", None)', "getattr"),
        ('hasattr(self.cloud, "remains")', "getattr"),
        ('getattr(aws_cloud, "x")', "getattr"),
        ('hasattr(self._cloud(), "x")', "getattr"),
        ("import roost.providers.aws.doctor", "import"),
        ("def f():\n    from roost.providers.local.run import run_in", "import"),
        ("from roost.providers import fake", "import"),
        ('import_module("roost.providers.aws.provider")', "import"),
        ('import_module(f"roost.providers.{spec.cloud}")', "import"),
    ],
)
def test_the_check_finds(source: str, rule: str) -> None:
    assert {found for _, found in breaches(ast.parse(source))} == {rule}


@pytest.mark.parametrize(
    "source",
    [
        '"""As roost.providers.aws.cloud does it."""',
        "from roost.providers.provider import Cloud, need",
        "from roost.providers.registry import provider_of",
        "if cloud.can.shell is None: pass",
        "if spec.cloud in PROVIDERS: pass",
        'here = "aws" in raw_tables',
        'getattr(error, "status_code", None)',
        'CLOUDS = ("local", "aws", "openstack")',
        'command_line("aws", "iam", "create-user")',
        'parts["local"] = {"aws": region}',
    ],
)
def test_the_check_leaves_alone(source: str) -> None:
    assert list(breaches(ast.parse(source))) == []
