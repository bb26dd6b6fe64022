"""What of all that is wanted is paid for."""

from decimal import Decimal

from roost.cost.bill import Addresses, Instances, Volumes
from roost.model.resources import Address, Group, Shape, Volume, Wanted
from roost.plan.bill import bill_of

REGION = "eu-west-1"


def shape(kind: str = "m7i.large", *, disk: float = 30, spot: bool = False) -> Shape:
    return Shape(type=kind, cpus=2, memory_gib=8, disk_gib=disk, spot=spot)


def items(*groups: Group, volumes: tuple[Volume, ...] = (), fixed: int = 0) -> set[object]:
    addresses = tuple(Address(name=f"a{n}", holder=f"a{n}") for n in range(fixed))
    want = Wanted(name="x", groups=groups, record="", volumes=volumes, addresses=addresses)
    found = bill_of(want, REGION, "gp3").items
    assert len(set(found)) == len(found)
    return set(found)


def test_machines_their_disks_and_their_addresses():
    assert items(
        Group(role="head", count=1, shape=shape()),
        Group(role="worker", count=3, shape=shape("c7i.large", disk=50, spot=True)),
    ) == {
        Instances("m7i.large", REGION, 1),
        Instances("c7i.large", REGION, 3, spot=True),
        Volumes(30, REGION, "gp3", 1),
        Volumes(50, REGION, "gp3", 3),
        Addresses(REGION, 4),
    }


def test_a_head_and_one_worker_alike_are_two_machines():
    """They were one once: equal items were merged, and only volumes added up."""
    both = items(
        Group(role="head", count=1, shape=shape()), Group(role="worker", count=1, shape=shape())
    )
    assert both == {
        Instances("m7i.large", REGION, 2),
        Volumes(30, REGION, "gp3", 2),
        Addresses(REGION, 2),
    }


def test_spot_and_on_demand_are_not_the_same():
    found = items(
        Group(role="head", count=1, shape=shape()),
        Group(role="worker", count=2, shape=shape(spot=True)),
    )
    assert {Instances("m7i.large", REGION, 1), Instances("m7i.large", REGION, 2, True)} < found


def test_a_group_of_none_costs_nothing():
    assert items(
        Group(role="head", count=1, shape=shape()), Group(role="worker", count=0, shape=shape())
    ) == {Instances("m7i.large", REGION), Volumes(30, REGION, "gp3"), Addresses(REGION, 1)}
    assert items() == set()


def test_a_fixed_address_takes_the_place_of_a_changing_one():
    seats = Group(role="seat", count=3, shape=shape())
    assert Addresses(REGION, 3, elastic=True) in items(seats, fixed=3)
    assert len([i for i in items(seats, fixed=3) if isinstance(i, Addresses)]) == 1
    head = (
        Group(role="head", count=1, shape=shape()),
        Group(role="worker", count=4, shape=shape()),
    )
    assert {Addresses(REGION, 1, elastic=True), Addresses(REGION, 4)} < items(*head, fixed=1)


def test_equal_data_volumes_are_counted_and_different_ones_are_not():
    def volume(name: str, size: float, **more: int) -> Volume:
        return Volume(name=name, size_gib=size, type="gp3", holder="x", mount="/x", **more)

    group = Group(role="seat", count=2, shape=shape())
    volumes = (volume("a", 100), volume("b", 100), volume("c", 100, iops=4000, throughput=200))
    found = items(group, volumes=volumes)
    assert Volumes(100, REGION, "gp3", 2) in found
    assert Volumes(100, REGION, "gp3", 1, 4000, 200) in found
    # A data volume that is like a machine's own disk is counted with it.
    assert Volumes(30, REGION, "gp3", 3) in items(group, volumes=(volume("d", 30),))


def test_sizes_are_exact():
    (disk,) = [
        i
        for i in items(Group(role="seat", count=1, shape=shape(disk=0.1)))
        if isinstance(i, Volumes)
    ]
    assert disk.gb == Decimal("0.1")
    (disk,) = [
        i
        for i in items(Group(role="seat", count=1, shape=shape(disk=30.0)))
        if isinstance(i, Volumes)
    ]
    assert (disk.gb, type(disk.gb)) == (30, int)
