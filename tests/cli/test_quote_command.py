"""``roost quote``, as it is typed: its sources, its numbers, and a file that plans."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calling import Roost
from tests.cli.test_json import check

HEAD = 'name = "work"\nkind = "desktop"\n[aws]\nregion = "us-east-1"\n'


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("astro", "--subs 50 --megapixels 24 --drizzle"),
        ("astro", "--subs 400 --megapixels 61.2 --mono --filters 4 --set edit_hours=10"),
        ("cryoem", "--movies 2000"),
        ("cryoem", "--movies 20 --particles 3000000 --box 512 --no-preread --set runs=1"),
    ],
)
def test_what_it_prints_is_a_file_that_plans(
    kind: str, words: str, roost: Roost, write: Callable[..., Path]
) -> None:
    found = check(f"quote-{kind}", roost("quote", kind, *words.split(), "--json"))
    told = roost("quote", kind, *words.split())
    assert told.code == 0, told.err
    assert f"a volume of {found['volume_gb']:,} GB" in told.out
    assert all(rule["source"] in told.out for rule in found["rules"] if rule["source"])
    _, _, below = told.out.partition("In a desktop's file")
    lines = [line[2:] for line in below.splitlines()[1:] if line.startswith("  ")]
    file = write(HEAD + "\n".join(lines))
    staged = check("stages", roost("stages", file, "--json"))
    assert [one["advised"] for one in staged["stages"]] == [s["type"] for s in found["stages"]]
    assert roost("plan", file).code == 0


def test_numbers_that_are_none(roost: Roost) -> None:
    for wrong in ("runs", "runs=", "runs=-1", "runs=nan", "runs=1e99", "=3", "cores=3"):
        told = roost("quote", "cryoem", "--movies", 2000, "--set", wrong)
        assert (told.code, told.out) == (2, ""), wrong
    assert "give RULE=NUMBER" in roost("quote", "cryoem", "--movies", 2, "--set", "runs=x").err
    assert roost("quote", "astro", "--subs", 1, "--megapixels", 1, "--region", "mars").code == 2
