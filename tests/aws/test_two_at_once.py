"""Two people at work on one name, on two computers: what they make between them is one thing."""

from __future__ import annotations

import contextlib

import pytest

from roost.errors import BusyError, RoostError
from roost.model.resources import Wanted
from roost.plan.up import plan_up
from roost.reconcile.loop import reconcile
from tests.aws.conftest import Account
from tests.aws.sampling import Sweep
from tests.aws.scenes import DESKTOP, cluster, names


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [DESKTOP, cluster(2)], ids=["desktop", "cluster"])
def test_another_up_in_the_middle_of_one(account: Account, wanted: Wanted, sweep: Sweep) -> None:
    """At each call of one `up` a second computer does all of it; then both have the same."""
    account.up(wanted)
    calls = len(account.ec2.calls)
    end = names(account.roost().observe(wanted.name))
    account.ec2.discarded = {"data"}
    account.down(wanted.name, frozenset({wanted.name}))

    def visit(number: int) -> None:
        account.forget_the_dead()
        at = len(account.ec2.calls) + number

        def other() -> None:
            account.up(wanted)

        account.ec2.meanwhile = {at: other}
        with contextlib.suppress(RoostError):
            account.up(wanted)
        account.ec2.meanwhile = {}
        account.up(wanted)
        account.settle()
        state = account.roost().observe(wanted.name)
        assert names(state) == end, number
        left = account.left()
        assert len(left["instances"]) == len(end), number
        assert len(left.get("addresses", [])) == len(wanted.addresses), number
        assert len(state.volumes) == len(wanted.volumes), number
        account.down(wanted.name, frozenset({wanted.name}))
        account.settle()
        assert account.left() == {}, number

    kind = "desktop" if wanted is DESKTOP else "cluster"
    sweep.through(f"two at once, {kind}", range(calls), visit)


def test_on_one_computer_the_second_is_told_who_is_at_work(account: Account) -> None:
    first, second = account.roost(), account.roost()
    with (
        first.hold("stars", "roost up stars"),
        pytest.raises(BusyError, match="roost up stars"),
        second.hold("stars", "roost down stars"),
    ):
        pass
    reconcile(second, "stars", lambda have, _: plan_up(DESKTOP, have))
