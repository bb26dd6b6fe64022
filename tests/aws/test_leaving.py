"""Volumes that their machine has not let go of yet, a while after its end."""

from __future__ import annotations

from tests.aws.conftest import Account
from tests.aws.scenes import DESKTOP, names


def test_a_volume_that_is_still_leaving_is_waited_for(account: Account) -> None:
    state = account.up(DESKTOP)
    account.client.terminate_instances(InstanceIds=[state.instances[0].id])
    account.ec2._moving.pop(state.instances[0].id)  # the machine is gone, and its volume leaves
    again = account.up(DESKTOP)
    assert names(again) == {"desktop": "running"}
    assert [(v.id, v.state) for v in again.volumes] == [(state.volumes[0].id, "attached")]
    account.ec2.discarded = {"data"}
    account.down("stars", frozenset({"data"}))
    assert account.left() == {}
