"""What each error code of EC2 means, and how long roost waits for what is on its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.errors import NotYetError, QuotaError
from roost.providers.aws.codes import TABLE, row_of
from tests.aws.conftest import Account
from tests.aws.scenes import DESKTOP, names
from tests.aws.strict import Weather

LISTED = (Path(__file__).parent / "ec2_error_codes.txt").read_text().split()
UNMENDED = ("absent", "there", "never")


def test_every_documented_code_is_in_the_table() -> None:
    """Common client codes, client codes of actions, and server codes of EC2's API reference."""
    assert [code for code in LISTED if row_of(code).kind == "other"] == []
    assert row_of("Melted").kind == "other"
    for row in TABLE:
        assert row.mend or row.kind in UNMENDED, row


def test_what_a_code_means_can_hang_on_the_call_and_the_message() -> None:
    for code, call, said, kind in (
        ("InvalidGroup.NotFound", "RunInstances", "", "pending"),
        ("InvalidKeyPair.NotFound", "RunInstances", "", "pending"),
        ("InvalidInstanceID.NotFound", "AttachVolume", "", "pending"),
        ("InvalidGroup.NotFound", "DeleteSecurityGroup", "", "absent"),
        ("InvalidInstanceID.NotFound", "TerminateInstances", "", "absent"),
        ("Unsupported", "RunInstances", "", "capacity"),
        ("Unsupported", "CreateVolume", "", "bug"),
        ("AuthFailure", "DescribeTags", "", "region"),
        ("AuthFailure", "DescribeTags", "Signature not yet current", "clock"),
        ("UnauthorizedOperation", "RunInstances", "in a service control policy", "organisation"),
        ("InsufficientVolumeCapacity", "CreateVolume", "", "capacity"),
        ("SnapshotCreationPerVolumeRateExceeded", "CreateSnapshot", "", "pending"),
        ("ConcurrentSnapshotLimitExceeded", "CreateSnapshot", "", "pending"),
        ("VolumeLimitExceeded", "CreateVolume", "", "quota"),
        ("InvalidClientVpnRouteNotFound", "DescribeTags", "", "never"),
    ):
        assert row_of(code, call, said).kind == kind, code


LATE = {
    "RunInstances": "InvalidGroup.NotFound",
    "AttachVolume": "IncorrectState",
    "AuthorizeSecurityGroupIngress": "InvalidGroup.NotFound",
    "AssociateAddress": "InvalidInstanceID.NotFound",
    "StopInstances": "IncorrectInstanceState",
    "CreateSnapshot": "SnapshotCreationPerVolumeRateExceeded",
    "DeleteSecurityGroup": "DependencyViolation",
    "DeleteVolume": "VolumeInUse",
    "ReleaseAddress": "InvalidIPAddress.InUse",
}


def test_what_is_on_its_way_has_minutes(account: Account) -> None:
    account.ec2.weather = Weather(late={call: (code, 120) for call, code in LATE.items()})
    assert names(account.up(DESKTOP)) == {"desktop": "running"}
    account.park("stars")
    account.ec2.weather.late |= {"DeleteSecurityGroup": ("DependencyViolation", 120)}
    account.ec2.discarded = {"data"}
    account.down("stars", frozenset({"data", "stars"}))
    assert account.left() == {}
    assert account.ec2.lost == []


def test_what_never_arrives_is_said_with_what_to_type(account: Account) -> None:
    account.ec2.weather = Weather(refuse={"RunInstances": "InvalidGroup.NotFound"})
    with pytest.raises(NotYetError, match=r"InvalidGroup\.NotFound") as raised:
        account.up(DESKTOP)
    assert raised.value.next == "the same command again, in a few minutes"
    assert 120 < account.now < 900
    account.ec2.weather = Weather(refuse={"RunInstances": "VolumeLimitExceeded"})
    with pytest.raises(QuotaError, match="VolumeLimitExceeded"):
        account.up(DESKTOP)
