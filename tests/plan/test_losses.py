"""Everything that a plan takes away for good is named before, and nothing else is."""

from dataclasses import replace

from roost.model.resources import SURPLUS, Address, Instance, Role, Shape, State
from roost.model.steps import Delete, Step
from roost.plan.losses import addresses_lost, disks_lost, losses
from roost.plan.up import Plan

SHAPE = Shape(type="m7i.large", cpus=2, memory_gib=8)


def machine(name: str, role: Role) -> Instance:
    return Instance(name=name, role=role, shape=SHAPE)


def plan(*steps: Step) -> Plan:
    return Plan(tuple(replace(step, reason="a test") for step in steps))


def test_disks_go_with_machines_but_not_with_workers() -> None:
    have = State(
        name="demo",
        instances=(
            machine("head", "head"),
            machine(f"head{SURPLUS}", "head"),
            machine("worker-1", "worker"),
            machine("seat-1", "seat"),
        ),
    )
    everything = plan(Delete("instance", tuple(i.name for i in have.instances)))
    assert disks_lost(everything, have) == ("head", "seat-1")
    assert disks_lost(plan(Delete("address", ("head",))), have) == ()
    assert losses(plan(Delete("instance", ("worker-1",))), have) == ()
    assert losses(plan(Delete("instance", ("seat-1",))), have) == (
        "seat-1: not in the file any more; the disk it boots from would be deleted",
    )


def test_an_address_made_twice_is_a_loss_only_where_it_is_in_use() -> None:
    idle = Address(name=f"head{SURPLUS}", holder="head", ip="203.0.113.9")
    used = Address(name=f"head{SURPLUS}", holder="head", ip="203.0.113.9", attached=True)
    release = plan(Delete("address", (idle.name,)))
    assert addresses_lost(release, State(name="demo", addresses=(idle,))) == ()
    assert addresses_lost(release, State(name="demo", addresses=(used,))) == (used,)
    assert addresses_lost(plan(), State(name="demo", addresses=(used,))) == ()


def test_addresses_are_named_with_their_number_where_it_is_known() -> None:
    have = State(
        name="demo",
        addresses=(
            Address(name="seat-3", holder="seat-3", ip="203.0.113.9"),
            Address(name="seat-4", holder="seat-4"),
        ),
    )
    assert losses(plan(Delete("address", ("seat-3",))), have) == (
        "address seat-3 (203.0.113.9): not in the file any more;"
        " it would be released, and cannot be had back",
    )
    assert losses(plan(Delete("address", ("seat-3", "seat-4"))), have) == (
        "addresses seat-3 (203.0.113.9), seat-4: not in the file any more;"
        " they would be released, and cannot be had back",
    )
