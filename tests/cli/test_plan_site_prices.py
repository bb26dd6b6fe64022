"""``roost plan`` on an OpenStack site: in the site's own unit, and unknown without its prices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import validate

from roost.plan.bill import book_of
from roost.recipes.rented import rates_of
from roost.spec import from_json, load
from tests.cli.calling import OUTPUTS, Roost

FILE = """
name = "stars"
kind = "desktop"
cloud = "openstack"
[openstack]
prices = "our.toml"
[machine]
type = "m3.quad"
image = "ubuntu-24.04"
[budget]
amount = 500
unit = "SU"
"""
PRICES = """
unit = "SU"
source = "our list"
[flavors]
"m3.quad" = 4
[states]
stopped = 0.5
shelved = 0.25
[addresses]
floating = 0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "our.toml").write_text(PRICES)
    path = tmp_path / "stars.toml"
    path.write_text(FILE)
    return path


def test_a_volume_has_a_type_of_its_site_or_none(file: Path, roost: Roost) -> None:
    prices = file.with_name("our.toml")
    prices.write_text(PRICES + "[volumes]\nany = 0.1\ncapacity = 0.02\n[images]\nany = 0.05\n")
    for said, kind, month in (
        ("", None, 10),
        ('type = "capacity"', "capacity", 2),
        ('type = "gp3"\niops = 4000\nthroughput = 200', None, 10),  # written for AWS
    ):
        file.write_text(f'{FILE}[[volumes]]\nname = "data"\nsize = "100GB"\n{said}\n')
        planned = roost("plan", file, "--hours", "0", "--json")
        assert planned.code == 0, planned.err
        validate(planned.json, json.loads((OUTPUTS / "plan.schema.json").read_text()))
        (volume,) = planned.json["volumes"]
        assert (volume["type"], volume["iops"], volume["throughput"]) == (kind, None, None)
        keep, copied, *_ = planned.json["cost"]["parked_month"]
        (line,) = [one for one in keep["storage"]["lines"] if "volumes" in one["item"]]
        assert (line["item"], line["amount"]) == (f"{kind} volumes" if kind else "volumes", month)
        assert copied["storage"]["lines"][0]["item"] == "images", "a copy is an image there"
        assert copied["storage"]["amount"] == 5
        assert "gp3" not in planned.out
        text = roost("plan", file, "--details").out
        assert f"data: 100GB{f' {kind}' if kind else ''} at /data\n" in text
        assert "gp3" not in text
        assert "IOPS" not in text


def test_a_plan_counts_in_the_unit_of_its_site(file: Path, roost: Roost) -> None:
    ran = roost("plan", file, "--hours", "4", "--days", "30")
    assert ran.code == 0, ran.err
    assert "running      4.00 SU" in ran.out
    assert "stopped      2.00 SU" in ran.out, "a machine that stops by itself is not shelved"
    assert "120 h running, 600 h stopped: 1,680.00 SU" in ran.out
    assert "the budget is 500.00 SU, and this use is beyond it" in ran.out
    assert "$" not in ran.out
    told = roost("plan", file, "--json").json
    validate(told, json.loads((OUTPUTS / "plan.schema.json").read_text()))
    use = told["cost"]["use"]
    assert (use["usd"], use["amount"], use["currency"]) == (None, 1680, "SU")


def test_without_prices_a_plan_says_unknown(file: Path, roost: Roost) -> None:
    text = FILE.replace('prices = "our.toml"', "").replace("[budget]\namount = 500", "")
    file.write_text(text.replace('unit = "SU"', ""))
    ran = roost("plan", file)
    assert ran.code == 0, ran.err
    assert "What it costs is unknown: the file names no prices" in ran.out
    assert "0.00" not in ran.out


def test_the_record_and_the_machine_count_by_the_same_prices(file: Path) -> None:
    spec = load(file)
    file.with_name("our.toml").unlink()  # another computer has no such file
    kept = from_json(spec.to_json())
    assert kept == spec
    rates = rates_of(kept, {})
    assert rates is not None
    assert (rates.running, rates.stopped) == (4, 2)
    shelving = json.loads(spec.to_json())
    shelving["openstack"]["guard"] = "shelve"
    rates = rates_of(from_json(json.dumps(shelving)), {})
    assert rates is not None
    assert rates.stopped == 1
    del shelving["machine"]["type"]  # by its needs: only the site knows the flavor
    needs = from_json(json.dumps(shelving))
    assert rates_of(needs, {}) is None
    assert rates_of(needs, {"desktop": "m3.quad"}) == rates
    from datetime import date

    assert book_of("openstack", kept, date(2026, 1, 1)).currency == "SU"
    forged = json.loads(spec.to_json())
    forged["openstack"]["price_list"]["flavors"] = {"m3.quad": "NaN"}
    with pytest.raises(Exception, match="spec kept with the cloud"):
        from_json(json.dumps(forged))


def test_a_plan_says_of_disks_only_what_counts_at_a_site(file: Path, roost: Roost) -> None:
    file.write_text(FILE + '[[volumes]]\nname = "data"\nsize = "50GB"\n')
    told = roost("plan", file).out
    assert "the disk of its type (of 30GB where that has none)" in told
    assert "data: 50GB at /data" in told, "its type is the site's own"
