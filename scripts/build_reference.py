"""Write docs/spec.md: every key of the file, from the same models that check it.

uv run python scripts/build_reference.py
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from roost.errors import SpecError
from roost.spec import load
from roost.spec.schema import json_schema
from roost.spec.values import BUCKET, MOUNT, NAME, SIZE, SOURCE, SPAN

FILE = Path(__file__).parents[1] / "docs" / "spec.md"
KINDS = ("Cluster", "Desktop", "Classroom")
SCHEMA = json_schema()["$defs"]

EXAMPLE = """\
name = "stars"
kind = "cluster"
cloud = "aws"

[aws]
region = "eu-central-1"

[workers]
count = 4
cpus = 8
memory = "32GB"
spot = true

[[volumes]]
name = "data"
size = "500GB"

[schedule]
idle = "30m"
"""
MISTAKES = (
    ("spot", "spott"),
    ('"500GB"', "500"),
    ('"eu-central-1"', '"eu-centrl-1"'),
)

HEAD = f"""\
# The file

<!-- Built by scripts/build_reference.py from the models; do not edit. -->

One TOML file says what you want: a desktop, a cluster or a classroom. `roost init` writes one to
start from, `roost plan FILE` says what it will make and what that costs, `roost up FILE` makes it.

```toml
{EXAMPLE}```

`name` and `kind` are always needed, `[machine]` for a desktop and a classroom, and `[aws]` with its
`region` where `cloud` is `"aws"`. All other keys have defaults, or are not used unless they are
there. A key that roost does not know is an error, never ignored.

The first line `#:schema PATH/roost.schema.json` lets an editor complete and check the file while
you write; `roost schema` prints that schema.
"""

PATTERNS = {
    NAME: "[name](#kinds-of-value)",
    SIZE: "[size](#kinds-of-value)",
    SPAN: "[length of time](#kinds-of-value)",
    MOUNT: "[folder](#kinds-of-value)",
    BUCKET: "[place in S3](#kinds-of-value)",
    SOURCE: "[source](#kinds-of-value)",
}
VALUES = """\
## Kinds of value

| | Written as | |
|---|---|---|
| name | `"my-cluster"` | small letters, digits and hyphens; begins with a letter; at most 30 |
| size | `"512MB"`, `"16GB"`, `"1.5TB"` | with its unit; GB and GiB are the same, 2³⁰ bytes |
| length of time | `"90s"`, `"30m"`, `"1h30m"`, `"5d"`, `"2w"` | with its unit |
| time | `2026-12-01T18:00:00+01:00` | without quotes, always with its time zone; `Z` is UTC |
| folder | `"/data"` | a whole path of letters, digits, `.`, `_`, `-`; not the system's own |
| place in S3 | `"s3://BUCKET/PREFIX"` | |
| source | `"me"`, `"anywhere"`, `"192.0.2.0/24"` | `"me"` is the address that roost is run from |
"""


def document() -> str:
    """The whole text."""
    parts = [HEAD, _errors(), _overview(), VALUES]
    parts += [_section(name) for name in _tables()]
    return "\n".join(parts)


def _errors() -> str:
    """What roost says of the example with some mistakes."""
    text = EXAMPLE
    for right, mistaken in MISTAKES:
        text = text.replace(right, mistaken)
    lines = "\n".join(f"  {_cut(line)}" for line in problems(text))
    return f"""\
## When something is wrong

All that is wrong is said at once, in the order of the file, with what is allowed. The same file
with `{MISTAKES[0][1]} = true`, `size = {MISTAKES[1][1]}` and `region = {MISTAKES[2][1]}`:

```text
roost: stars.toml: 3 problems
{lines}
```

Entries of a list are counted from 1: `volumes[1]` is the first.
"""


def problems(text: str) -> tuple[str, ...]:
    """The lines that roost prints for a file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stars.toml"
        file.write_text(text)
        try:
            load(file)
        except SpecError as error:
            return error.lines()
    return ()


def _cut(line: str) -> str:
    return line if len(line) <= 100 else line[:97].rsplit(" ", 1)[0] + " ..."


def _overview() -> str:
    """Which keys are for which kind."""
    rows = []
    keys = {key: None for kind in KINDS for key in SCHEMA[kind]["properties"]}
    for key in keys:
        has = [SCHEMA[kind]["properties"].get(key) for kind in KINDS]
        cells = [_presence(kind, key) for kind in KINDS]
        about = next(facts for facts in has if facts)
        link = f"[`{key}`](#{_anchor(_title(*_inside(about)))})" if _inside(about) else f"`{key}`"
        rows.append(f"| {link} | {' | '.join(cells)} | {_meaning(about)} |")
    head = "| Key | cluster | desktop | classroom | |\n|---|---|---|---|---|"
    return f"## Keys at the top\n\n{head}\n" + "\n".join(rows) + "\n\n" + _top_details()


def _presence(kind: str, key: str) -> str:
    if key not in SCHEMA[kind]["properties"]:
        return ""
    return "needed" if key in SCHEMA[kind]["required"] else "yes"


def _top_details() -> str:
    """Types and defaults of the keys at the top that are not tables."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for kind in KINDS:
        for key, facts in SCHEMA[kind]["properties"].items():
            if not _inside(facts):
                what = (key, _type(facts), _default(SCHEMA[kind], key))
                found.setdefault(what, []).append(kind.lower())
    rows = []
    for (key, type_, default), kinds in found.items():
        only = "" if len(kinds) == len(KINDS) else ", ".join(kinds)
        rows.append(f"| `{key}` | {only} | {type_} | {default} |")
    head = "| Key | Only in | What it is | Default |\n|---|---|---|---|"
    return f"Those that are not tables:\n\n{head}\n" + "\n".join(rows) + "\n"


def _tables() -> dict[str, list[tuple[str, str]]]:
    """Every table, with the keys under which it stands: (key, kind)."""
    found: dict[str, list[tuple[str, str]]] = {}

    def visit(table: str, path: str, kind: str) -> None:
        for key, facts in SCHEMA[table]["properties"].items():
            if inside := _inside(facts):
                place = f"{path}.{key}" if path else key
                found.setdefault(inside[0], []).append((place, kind))
                visit(inside[0], place, kind)

    for kind in KINDS:
        visit(kind, "", kind.lower())
    return found


def _section(table: str) -> str:
    places = _tables()[table]
    listed = _title_of(table)
    kinds = list(dict.fromkeys(kind for _, kind in places))
    only = "" if len(kinds) == len(KINDS) else f" Only for {_either(kinds)}."
    keys = dict(SCHEMA[table]["properties"])
    also = ""
    if table == "Workers":
        keys = {key: facts for key, facts in keys.items() if key not in _keys("Machine")}
        also = f"\n\nAll keys of [{_title_of('Machine')}](#{_anchor(_title_of('Machine'))}), and:"
    rows = [
        f"| `{key}` | {_type(facts)} | {_default(SCHEMA[table], key)} | {_meaning(facts)} |"
        for key, facts in keys.items()
    ]
    head = "| Key | What it is | Default | |\n|---|---|---|---|"
    about = SCHEMA[table]["description"].replace("``", "`")
    return f"## {listed}\n\n{about}{only}{also}\n\n{head}\n" + "\n".join(rows) + "\n"


def _title_of(table: str) -> str:
    return _title(table, any(_inside(f)[1] for f in _uses(table)))


def _title(table: str, array: bool) -> str:
    places = dict.fromkeys(place for place, _ in _tables()[table])
    return " and ".join(f"`[[{place}]]`" if array else f"`[{place}]`" for place in places)


def _uses(table: str) -> list[dict[str, Any]]:
    every = [facts for t in SCHEMA.values() for facts in t["properties"].values()]
    return [facts for facts in every if _inside(facts)[:1] == (table,)]


def _keys(table: str) -> tuple[str, ...]:
    return tuple(SCHEMA[table]["properties"])


def _either(kinds: list[str]) -> str:
    return " and ".join(f"{kind}s" for kind in kinds)


def _anchor(title: str) -> str:
    """As GitHub makes it from a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


# --- one key -----------------------------------------------------------------------------------


def _inside(facts: dict[str, Any]) -> tuple[Any, ...]:
    """The table that a key holds, and whether it is a list of them; nothing for other keys."""
    if "$ref" in facts:
        return facts["$ref"].rpartition("/")[2], False
    if "$ref" in facts.get("items", {}):
        return facts["items"]["$ref"].rpartition("/")[2], True
    return ()


def _type(facts: dict[str, Any]) -> str:
    if inside := _inside(facts):
        title = _title(*inside)
        return f"{'tables' if inside[1] else 'table'}, [{title}](#{_anchor(title)})"
    if "const" in facts:
        return f"`{_toml(facts['const'])}`"
    if "enum" in facts:
        return ", ".join(f"`{_toml(choice)}`" for choice in facts["enum"])
    if facts["type"] == "array":
        return f"list of: {_type(facts['items'])}"
    if facts["type"] == "object":
        inside = [facts.get("additionalProperties"), *facts.get("patternProperties", {}).values()]
        kinds = [one.get("type") for one in inside if isinstance(one, dict)]
        plural = {"string": "texts", "number": "numbers"}
        return f"table of {plural.get(kinds[0], 'values') if kinds else 'values'}"
    if facts["type"] in ("integer", "number"):
        return ("whole number" if facts["type"] == "integer" else "number") + _bounds(facts)
    if facts["type"] == "boolean":
        return "`true`, `false`"
    if facts.get("format") == "date-time":
        return "[time](#kinds-of-value)"
    return PATTERNS.get(facts.get("pattern", ""), "text")


def _bounds(facts: dict[str, Any]) -> str:
    if "exclusiveMinimum" in facts:
        return f" above {facts['exclusiveMinimum']:,}"
    least, most = facts.get("minimum"), facts.get("maximum")
    if most is not None:
        return f", {least:,} to {most:,}"
    return f", at least {least:,}" if least is not None else ""


def _default(table: dict[str, Any], key: str) -> str:
    facts = table["properties"][key]
    if key in table.get("required", ()):
        return "needed"
    if facts.get("default") in (None, []):
        return ""
    return f"`{_toml(facts['default'])}`"


def _meaning(facts: dict[str, Any]) -> str:
    examples = facts.get("examples", ()) if "enum" not in facts and "const" not in facts else ()
    like = "" if _type(facts) != "text" else ", ".join(f"`{_toml(e)}`" for e in examples)
    return facts["description"].replace("``", "`") + (f" {like}" if like else "")


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
    print(f"wrote {FILE}")
