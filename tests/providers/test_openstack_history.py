"""What a name at a site has cost, by sums that can be done by hand."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from roost.cost.book import PriceBook
from roost.cost.ledger import Batch, Ending, Ledger, Machine, closing, lasted
from roost.cost.site_prices import no_catalogue, parse
from roost.cost.spent import There, spent
from roost.errors import CloudError
from roost.model.resources import S3Copy
from roost.model.steps import Delete, Start, Stop
from roost.providers.openstack import ledger, s3_copies
from roost.providers.openstack.record import packed

PRICES = {
    "unit": "SU",
    "source": "our price list",
    "flavors": {"standard (4 cores): eu/1": {"running": 4, "stopped": 2, "shelved": 1}},
    "volumes": {"any": "73"},
    "images": {"any": "7.3"},
}
FLAVOR = "standard (4 cores): eu/1"


def at(hour: int) -> str:
    return f"2026-01-31T{hour:02}:00:00Z"


def moment(hour: int) -> int:
    return int(datetime(2026, 1, 31, hour, tzinfo=UTC).timestamp())


def server(status: str, launched: int, updated: int) -> dict[str, Any]:
    flavor = {"original_name": FLAVOR, "vcpus": 4, "ram": 8192, "disk": 20}
    times = {"OS-SRV-USG:launched_at": at(launched)[:-1] + ".000000", "updated": at(updated)}
    return {"id": "s1", "status": status, "flavor": flavor, "created": at(launched), **times}


def test_the_sums_of_a_day() -> None:
    disk = {"id": "v1", "size": 10, "volume_type": "ssd", "created_at": at(8)[:-1]}
    copy = {"id": "i1", "size": 10 * 2**30, "created_at": at(20), "roost_size": "10"}
    ids = {("instance", "desktop"): "s1", ("volume", "data"): "v1"}
    held: dict[str, str] = {}

    def note(step: Any, hour: int, **described: Any) -> None:
        found = ledger.things(described)
        seen = [one for those in found.values() for one in those]
        going = [one for i in ledger.ends(step, ids) for one in found.get(i, ())]
        whole = closing(ledger.in_record(held), seen, going, moment(hour))
        held.update(ledger.as_properties(whole, seen, held))

    # 8 to 10 it runs, to 12 it is shelved, to 16 it runs, to 20 it is off on its host, and goes.
    note(Stop(("desktop",)), 10, instance=[server("ACTIVE", 8, 8)], volume=[disk])
    note(Start(("desktop",)), 12, instance=[server("SHELVED_OFFLOADED", 8, 10)], volume=[disk])
    note(Stop(("desktop",)), 16, instance=[server("ACTIVE", 12, 12)], volume=[disk])
    off = [server("SHUTOFF", 12, 16)]
    note(Delete("instance", ("desktop",)), 20, instance=off, volume=[disk], image=[copy])
    note(Delete("volume", ("data",)), 20, volume=[disk], image=[copy])
    assert all(len(text) <= 60_000 for text in held.values())
    seen = ledger.things({"image": [copy]})["i1"]
    book = PriceBook(no_catalogue(), datetime(2026, 1, 31, tzinfo=UTC).date(), site=parse(PRICES))
    there = There(seen=seen, began=moment(8), now=moment(23), public=False)
    sums = spent(ledger.in_record(held), there, "site", book)
    machines = (2 + 4) * 4 + 2 * 1 + 4 * 2
    disks = Decimal(12 * 10 * 73) / 730 + Decimal(3 * 10) * Decimal("7.3") / 730
    assert sums.least.amount.usd == machines + disks
    assert sums.exact
    assert sums.most.amount.currency == "SU"


def test_a_machine_has_the_disk_that_it_boots_from_and_that_goes_with_it() -> None:
    def boots(image: object, **goes: bool) -> dict[str, Any]:
        volumes = [{"id": key, "delete_on_termination": value} for key, value in goes.items()]
        volumes_key = "os-extended-volumes:volumes_attached"
        return server("ACTIVE", 8, 8) | {"image": image, volumes_key: volumes}

    assert ledger.boot_ids({"instance": [boots("", boot=True, data=False)]}) == {"boot": "s1"}
    assert ledger.boot_ids({"instance": [boots({"id": "i"}, other=True)]}) == {}


def test_a_record_in_a_firewall_has_room_for_the_sums_only() -> None:
    whole = Ledger(tuple(Batch(Machine(FLAVOR), n, 1, (Ending(1, n, n),)) for n in range(1, 500)))
    held = ledger.as_properties(whole, (), {}, short=True)
    assert sum(map(len, held.values())) <= 1500
    found = ledger.in_record(held)
    assert not found.damaged
    assert lasted(found, 1000) == lasted(whole, 1000)


def test_what_a_record_says_of_copies_in_s3_is_parsed_and_not_believed() -> None:
    copy = S3Copy(
        name="data",
        source="v1",
        place="s3://bucket/stars/data",
        tree="s3://bucket/stars/data/.tree",
        sha256="ab" * 32,
        size_gib=100,
        used_gib=1.5,
        since=1.0,
        taken=2.0,
        sealed=True,
    )
    many = [
        replace(copy, name=f"data-{n}", sha256=sha256(b"%d" % n).hexdigest()) for n in range(2000)
    ]
    held = s3_copies.as_properties(many, {})
    assert len(held) > 1
    assert all(len(text) <= 60_000 for text in held.values())
    assert {c.name for c in s3_copies.in_record(held)} == {c.name for c in many}
    fewer = held | s3_copies.as_properties([copy], held)
    assert s3_copies.in_record(fewer) == (copy,)
    assert s3_copies.in_record(fewer | s3_copies.as_properties([], fewer)) == ()
    wrong = [asdict(copy) | {"sealed": "yes"}, asdict(copy) | {"later": 1}, {"name": "data"}, [1]]
    for raw in wrong:
        with pytest.raises(CloudError, match="cannot be read"):
            s3_copies.in_record(packed(s3_copies.KEY, json.dumps(raw)))
    with pytest.raises(CloudError, match="damaged"):
        s3_copies.in_record({f"{s3_copies.KEY}_0": "x"})
