"""``roost prices``: the cheapest machines that fit; or why none does."""

import pytest

from tests.cli.calling import Roost


def test_the_cheapest_first(roost: Roost) -> None:
    told = roost("prices", "--cpus", 4, "--memory", "16GiB", "--region", "eu-central-1")
    assert told.code == 0
    header, *rows, empty, source = told.out.splitlines()
    assert header.split() == ["TYPE", "CPUS", "MEMORY", "GiB", "USD/HOUR", "USD/MONTH", "NOTE"]
    # Frankfurt, 2026-10-15; a month is 730 hours: 0.1728 x 730 = 126.144
    assert rows[0].split(maxsplit=5) == [
        *("t3a.xlarge", "4", "16", "0.1728", "126.14"),
        "burstable: up to 0.12 an hour more at full load",  # 4 x 60 % x 0.05
    ]
    assert len(rows) == 10
    assert (empty, source) == (
        "",
        "on demand, Linux, before tax; AWS price list of 2026-10-15, in eu-central-1",
    )
    hourly = [float(row.split()[3]) for row in rows]
    assert hourly == sorted(hourly)
    assert all(int(row.split()[1]) >= 4 and float(row.split()[2]) >= 16 for row in rows)


def test_what_the_free_tier_covers_is_said_where_somebody_would_hope_for_it(roost: Roost) -> None:
    told = roost("prices", "--cpus", 1, "--memory", "1GiB", "--region", "eu-west-1").out
    assert "the free tier, as of 2026-11-27: no type of machine is free any more" in told
    assert "free" not in roost("prices", "--cpus", 4, "--memory", "16GiB").out
    plan = roost("plan", "examples/from/dask-cloudprovider.toml").out
    assert "  - the free tier: no type of machine is free any more" in plan
    assert "free tier" not in roost("plan", "examples/ndvi.toml", "--cloud", "aws").out


def test_json_says_the_same_and_more(roost: Roost) -> None:
    words = ("prices", "--gpus", 1, "--region", "eu-west-1", "--limit", 3)
    offers = roost(*words, "--json").json
    rows = roost(*words).out.splitlines()[1:4]
    assert [offer["type"] for offer in offers] == [row.split()[0] for row in rows]
    assert all(offer["gpus"] >= 1 and offer["region"] == "eu-west-1" for offer in offers)
    assert offers[0]["date"] == "2026-10-15"
    assert "AWS price list" in offers[0]["source"]


def test_gpu_memory_is_as_it_is_sold_and_as_in_a_file(roost: Roost) -> None:
    """A card of 24 GB has 22.4 GiB: examples/scipion.toml asks for one, and so does this."""
    told = roost(
        *("prices", "--cpus", 16, "--memory", "64GB", "--gpus", 1, "--gpu-memory", "24GB"),
        *("--region", "eu-west-1", "--limit", 1, "--json"),
    )
    (plan,) = roost("plan", "examples/scipion.toml", "--json").json["instances"]
    assert told.json[0]["type"] == plan["type"] == "g5.4xlarge"


def test_without_a_word_it_is_the_processor_of_a_file(roost: Roost) -> None:
    for offer in roost("prices", "--limit", 50, "--json").json:
        assert "x86_64" in offer["architectures"]
    (arm,) = roost("prices", "--arch", "arm64", "--limit", 1, "--json").json
    assert arm["architectures"] == ["arm64"]


def test_a_price_that_is_not_known_is_unknown_and_last(roost: Roost) -> None:
    words = ("prices", "--region", "ap-southeast-3", "--gpu-memory", "140GB")
    offers = roost(*words, "--json").json
    assert offers[-1]["type"] == "p5e.48xlarge"  # Jakarta has it; no list has its price
    assert (offers[-1]["usd_per_hour"], offers[-1]["date"]) == (None, None)
    assert offers[-1]["source"] == "no price of it in ap-southeast-3"
    assert roost(*words).out.splitlines()[len(offers)].split()[3:5] == ["unknown", "unknown"]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_none_fits(more: tuple[str, ...], roost: Roost) -> None:
    told = roost("prices", "--cpus", 4000, *more)
    assert told.code == 1
    assert (told.json["error"]["exit_code"] == 1) if more == ("--json",) else (told.out == "")
    assert "4,000 vCPUs wanted, the largest with all the rest is" in told.err
    assert "next: ask for less of one of them; the nearest: u7i-12tb.224xlarge" in told.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--region eu-wst-1", 'did you mean "eu-west-1"?'),
        ("--memory 16", "16GiB"),
        ("--memory much", "a size with its unit"),
        ("--gpu-memory -1GB", "a size with its unit"),
        ("--cpus 0", "0"),
        ("--arch sparc", "x86_64"),
        ("--limit 0", "0"),
    ],
)
def test_what_cannot_be_asked(words: str, text: str, roost: Roost) -> None:
    told = roost("prices", *words.split())
    assert (told.code, told.out) == (2, "")
    assert text in told.err


def test_a_gpu_that_aws_does_not_have(roost: Roost) -> None:
    told = roost("prices", "--gpu", "RTX4090")
    assert told.code == 1
    assert told.err.startswith("roost: AWS has no RTX4090; it has: A100, A10G, ")
    assert "roost prices --gpu A10G" in told.err
    assert roost("prices", "--gpu", "nvidia t4").out.splitlines()[1].startswith("g4dn.xlarge")
