"""The search for the cheapest type, and the reasons when nothing fits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.catalogue import Catalogue, load
from roost.cost.machines import Needs, Offer, cheapest, why_none
from roost.cost.rates import Rate, Unknown

IRELAND = "eu-west-1"


def names(offers: tuple[Offer, ...]) -> list[str]:
    return [offer.instance_type.name for offer in offers]


@pytest.mark.parametrize(
    ("needs", "name", "usd"),
    [
        (Needs(cpus=4, memory_gib=16), "t4g.xlarge", "0.1472"),
        (Needs(cpus=4, memory_gib=16, arch="x86_64"), "t3a.xlarge", "0.1632"),
        (Needs(cpus=4, memory_gib=16, arch="x86_64", burstable=False), "m5a.xlarge", "0.192"),
        (Needs(gpus=1), "g4dn.xlarge", "0.587"),
        (Needs(gpus=4), "g4dn.12xlarge", "4.362"),
        (Needs(instance_store_gb=400, arch="x86_64"), "i3.large", "0.172"),
        (Needs(gpu_name="a10g"), "g5.xlarge", "1.123"),
        (Needs(gpu_name="NVIDIA A10G"), "g5.xlarge", "1.123"),
        (Needs(gpu_memory_gib=24e9 / 2**30), "g5.xlarge", "1.123"),  # sold as 24 GB
    ],
)
def test_cheapest(aws: Catalogue, needs: Needs, name: str, usd: str) -> None:
    (offer,) = cheapest(aws, IRELAND, needs, limit=1)
    assert (offer.instance_type.name, str(offer.price.usd), offer.region) == (name, usd, IRELAND)


def test_bare_metal_and_xens_previous_generations_only_when_asked(aws: Catalogue) -> None:
    by_default = set(names(cheapest(aws, IRELAND, Needs())))
    asked = set(names(cheapest(aws, IRELAND, Needs(bare_metal=True, previous_generation=True))))
    assert by_default.isdisjoint({"c4.large", "m5.metal", "m3.medium"})
    assert {"c4.large", "m5.metal", "m3.medium"} <= asked
    assert {"m5.large", "t2.micro"} <= by_default


def test_a_previous_generation_is_noted(aws: Catalogue) -> None:
    (offer,) = cheapest(aws, IRELAND, Needs(gpu_name="A10G"), limit=1)
    assert "previous generation" in offer.note


def test_no_mac_is_taken_for_linux(aws: Catalogue) -> None:
    everything = cheapest(aws, "us-east-1", Needs(bare_metal=True, previous_generation=True))
    assert not [name for name in names(everything) if name.startswith("mac")]


def test_a_slice_of_a_gpu_only_when_asked(aws: Catalogue) -> None:
    whole = cheapest(aws, "us-east-1", Needs(gpus=1))
    sliced = cheapest(aws, "us-east-1", Needs(gpus=1, gpu_slices=True))
    assert "g6f.large" not in names(whole)
    assert names(sliced)[0] == "g6f.large"
    assert sliced[0].note == "1 x 0.125 of L4, 2.79 GiB"


def test_a_gpu_that_was_not_asked_for_is_noted(aws: Catalogue) -> None:
    offers = cheapest(aws, IRELAND, Needs(cpus=4))
    (found,) = (offer for offer in offers if offer.instance_type.name == "g4dn.xlarge")
    assert "not asked for" in found.note


def test_withdrawn_types_are_not_found(aws: Catalogue) -> None:
    assert aws.region(IRELAND).instance("p2.xlarge") is not None
    assert "p2.xlarge" not in names(cheapest(aws, IRELAND, Needs(previous_generation=True)))


def test_a_type_without_a_price_comes_last_and_is_unknown(aws: Catalogue) -> None:
    region = "us-east-2"
    unpriced = aws.region(region).offered_without_price
    offers = cheapest(aws, region, Needs(arch="x86_64", bare_metal=True))
    unknown = [offer for offer in offers if isinstance(offer.price, Unknown)]
    assert unknown
    assert offers[-len(unknown) :] == tuple(unknown)
    assert {offer.instance_type.name for offer in unknown} <= set(unpriced)


def test_a_region_that_is_not_known(aws: Catalogue) -> None:
    assert cheapest(aws, "atlantis-1", Needs()) == ()
    assert why_none(aws, "atlantis-1", Needs()).reason == "the catalogue has no region atlantis-1"


def test_why_nothing_fits_names_the_largest_there_is(aws: Catalogue) -> None:
    found = why_none(aws, IRELAND, Needs(gpus=1, memory_gib=4000))
    assert "the largest with all the rest is p4d.24xlarge with 1,152 GiB of memory" in found.reason
    assert "1 GPU wanted" in found.reason
    assert "p4d.24xlarge" in names(found.nearest)


def test_why_nothing_fits_when_a_name_is_wrong(aws: Catalogue) -> None:
    found = why_none(aws, IRELAND, Needs(gpu_name="H1000"))
    assert found.reason.startswith("AWS has no H1000; it has: A100, A10G, ")
    # It has B300, and not in Ireland.
    found = why_none(aws, IRELAND, Needs(gpu_name="NVIDIA B300"))
    assert found.reason.endswith("g4dn.xlarge has it but for this: a GPU named NVIDIA B300")
    assert names(found.nearest) == ["g4dn.xlarge"]


def test_why_nothing_fits_when_nothing_is_large_enough(aws: Catalogue) -> None:
    found = why_none(aws, IRELAND, Needs(cpus=10_000, memory_gib=1_000_000))
    assert "the largest of all is u7i-12tb.224xlarge with 896 vCPUs" in found.reason
    assert len(found.nearest) == 2


needs = st.builds(
    Needs,
    cpus=st.none() | st.integers(1, 256),
    memory_gib=st.none() | st.integers(1, 2000),
    gpus=st.none() | st.integers(1, 8),
    arch=st.sampled_from([None, "x86_64", "arm64"]),
    spot=st.booleans(),
    burstable=st.booleans(),
)


@given(needs, st.sampled_from(["eu-west-1", "mx-central-1"]))
def test_every_offer_fits_and_the_order_is_by_price(wanted: Needs, region: str) -> None:
    offers = cheapest(load("aws"), region, wanted)
    prices = [offer.price.usd for offer in offers if isinstance(offer.price, Rate)]
    assert prices == sorted(prices)
    assert all(price > 0 for price in prices)
    for offer in offers:
        found = offer.instance_type
        assert found.vcpus >= (wanted.cpus or 0)
        assert found.memory_gib >= (wanted.memory_gib or 0)
        assert found.gpu_count >= (wanted.gpus or 0)
        assert found.spot or not wanted.spot
        assert wanted.arch is None or wanted.arch in found.architectures
    if not offers:
        assert why_none(load("aws"), region, wanted).reason


@given(needs, st.integers(1, 64))
def test_asking_for_more_never_finds_a_cheaper_machine(wanted: Needs, more: int) -> None:
    larger = replace(wanted, cpus=(wanted.cpus or 0) + more)
    some = cheapest(load("aws"), IRELAND, wanted, limit=1)
    fewer = cheapest(load("aws"), IRELAND, larger, limit=1)
    if fewer and isinstance(fewer[0].price, Rate):
        assert isinstance(some[0].price, Rate)
        assert some[0].price.usd <= fewer[0].price.usd
