"""The shipped catalogue: its counts, its agreement with a second source, and its lookups."""

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import roost.catalogue
from roost.catalogue import Catalogue, InstanceType, Rate, load

SHIPPED = Path(roost.catalogue.__file__).parent / "data" / "aws"
SKYPILOT = Path(__file__).parent / "data" / "ec2-prices-skypilot.csv"


@pytest.fixture(scope="module")
def aws() -> Catalogue:
    return load("aws")


@pytest.fixture(scope="module")
def skypilot() -> list[dict[str, str]]:
    with SKYPILOT.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_counts_of_the_shipped_data(aws: Catalogue) -> None:
    prices = [len(aws.region(code).instances) for code in aws.regions]
    assert len(prices) == 36
    assert sum(prices) == 24_363
    assert len(aws.instance_types()) == len(aws.type_names) == 1_395


def test_every_region_file_is_listed_and_named(aws: Catalogue) -> None:
    files = sorted(path.stem for path in (SHIPPED / "regions").glob("*.json"))
    assert list(aws.regions) == files
    assert all(aws.region(code).name == aws.region_names[code] for code in files)
    assert aws.region_names["eu-west-1"] == "Europe (Ireland)"


def test_every_price_of_skypilots_catalogue_agrees(
    aws: Catalogue, skypilot: list[dict[str, str]]
) -> None:
    assert len(skypilot) == 597
    differing = [
        (row["instance_type"], row["region"])
        for row in skypilot
        if aws.region(row["region"]).instances.get(row["instance_type"])
        != Decimal(row["on_demand_usd_per_hour"])
    ]
    assert differing == []


def test_every_specification_of_skypilots_catalogue_agrees(
    aws: Catalogue, skypilot: list[dict[str, str]]
) -> None:
    compared = 0
    for row in skypilot:
        described = aws.instance_type(row["instance_type"])
        if described is None:
            assert row["instance_type"] in aws.undescribed
            continue
        compared += 1
        assert described.vcpus == float(row["vcpus"]), described.name
        assert described.memory_gib == float(row["memory_gib"]), described.name
        assert row["arch"] in described.architectures, described.name
    assert compared > 500


def test_every_price_is_above_zero_with_a_source_and_a_date(aws: Catalogue) -> None:
    for code in aws.regions:
        region = aws.region(code)
        rates = [region.instance(name) for name in region.instances]
        rates += [region.volume(name) for name in region.volumes]
        rates += [region.snapshot(tier) for tier in ("standard", "archive")]
        rates += [region.iops("gp3"), region.throughput("gp3"), region.nat_gateway()]
        assert all(isinstance(rate, Rate) and rate.usd > 0 for rate in rates)
        assert {(rate.source, rate.date) for rate in rates} == {(aws.source, aws.published)}


def test_every_other_price_is_above_zero_with_a_source() -> None:
    other = json.loads((SHIPPED / "other.json").read_text(encoding="utf-8"))
    rates = [rate for region in other["rates"].values() for rate in region.values()]
    rates += [tier for region in other["transfer_out"].values() for tier in region]
    assert len(rates) == 55
    assert all(rate["usd"] > 0 and rate["source"] and rate["unit"] for rate in rates)


def test_what_is_not_known_is_none_and_not_zero(aws: Catalogue) -> None:
    tokyo = aws.region("ap-northeast-1")
    assert tokyo.s3("STANDARD") is None
    assert tokyo.transfer_out == ()
    assert tokyo.instance("c5.largest") is None
    assert tokyo.volume("gp9") is None
    assert tokyo.snapshot("frozen") is None
    assert aws.region("atlantis-1") is None
    assert aws.instance_type("c5.largest") is None
    with pytest.raises(LookupError, match="no catalogue of 'hal'"):
        load("hal")


@pytest.mark.parametrize(
    ("name", "vcpus", "memory_gib", "gpu", "count", "gpu_memory_mib"),
    [
        ("t3.micro", 2, 1, None, 0, 0),
        ("g4dn.xlarge", 4, 16, "T4", 1, 16_384),
        ("g5.12xlarge", 48, 192, "A10G", 4, 22_888),
        ("p5.48xlarge", 192, 2_048, "H100", 8, 81_920),
    ],
)
def test_specifications(
    aws: Catalogue,
    name: str,
    vcpus: int,
    memory_gib: int,
    gpu: str | None,
    count: int,
    gpu_memory_mib: int,
) -> None:
    described = aws.instance_type(name)
    assert (described.vcpus, described.memory_gib) == (vcpus, memory_gib)
    assert described.gpu_count == count
    assert [g.name for g in described.gpus] == ([gpu] if gpu else [])
    assert [g.memory_mib for g in described.gpus] == ([gpu_memory_mib] if gpu else [])


def test_a_slice_of_a_gpu_is_told_from_a_whole_one(aws: Catalogue) -> None:
    (gpu,) = aws.instance_type("g6f.large").gpus
    assert (gpu.name, gpu.count, gpu.fraction) == ("L4", 1, Decimal("0.125"))


def test_columns_of_the_file_are_the_fields_of_an_instance_type() -> None:
    facts = json.loads((SHIPPED / "instance-types.json").read_text(encoding="utf-8"))
    assert ("name", *facts["columns"]) == InstanceType.__slots__
    assert all(len(row) == len(facts["columns"]) for row in facts["types"].values())


def test_a_withdrawn_type_keeps_its_price_and_is_not_offered(aws: Catalogue) -> None:
    virginia = aws.region("us-east-1")
    assert "p2.xlarge" in aws.undescribed
    assert virginia.instance("p2.xlarge").usd == Decimal("0.9")
    assert virginia.offered("p2.xlarge") is False
    assert virginia.offered("c5.large") is True
    assert virginia.offered("c5.largest") is False


def test_offers_are_unknown_where_the_region_has_no_list(aws: Catalogue) -> None:
    assert aws.region("mx-central-1").offered("c6g.large") is None


def test_public_ipv4_rules_carry_dates(aws: Catalogue) -> None:
    before, now = aws.address_rules()
    assert (before.charged, before.rate, before.since) == ("idle", None, date.min)
    assert (now.charged, now.since) == ("always", date(2024, 2, 1))
    assert (now.rate.usd, now.rate.unit) == (Decimal("0.005"), "hour")


def test_transfer_out_has_tiers_and_a_free_allowance(aws: Catalogue) -> None:
    tiers = aws.region("eu-west-1").transfer_out
    assert [(tier.up_to_gb, str(tier.rate.usd)) for tier in tiers] == [
        (10_240, "0.09"),
        (51_200, "0.085"),
        (153_600, "0.07"),
        (None, "0.05"),
    ]
    assert aws.free_transfer_gb() == 100


def test_a_month_or_no_date_in_a_source(aws: Catalogue) -> None:
    assert aws.region("us-east-1").nat_data().date == date(2026, 8, 1)
    assert aws.region("us-west-2").transfer_out[0].rate.date is None
    assert aws.region("us-east-1").archive_retrieval().usd == Decimal("0.03")


def test_loading_is_done_once(aws: Catalogue) -> None:
    assert load("aws") is aws
    assert aws.region("eu-west-1") is aws.region("eu-west-1")
