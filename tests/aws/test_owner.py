"""Several people in one account: nobody changes what is another's by accident."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.providers.aws.requests import create_template, template_data
from tests.aws.conftest import KEY, Account
from tests.aws.test_cli import ok, roost
from tests.aws.test_forged import sent
from tests.aws.test_shared_account import FILE, file, instances
from tests.cli.calling import Roost

__all__ = ["file", "roost", "sent"]

ALICE, BOB = (f"arn:aws:iam::123456789012:user/{who}" for who in ("alice", "bob"))
BOBS_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIJJtFJpqx3Al0bbpBKkm1Mhcyx9LBzYnNuDZuSqFEZo"
OTHER_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPxMN3ZV1XIsaCqvTQ4Nc2Y7hC7VgZrvlXfNtDDtYWXK"
CHANGES = (
    ("stop", "stars"),
    ("start", "stars"),
    ("restart", "stars"),
    ("resize", "stars", "--type", "m5.xlarge", "--yes"),
    ("park", "stars", "--yes"),
    ("resume", "stars"),
    ("down", "stars", "--yes", "--delete-data", "stars"),
    ("up", "stars", "--yes"),
    ("extend", "stars", "2h"),
    ("scale", "stars", "3"),
    ("image", "bake", "stars", "--yes"),
    ("sync", "stars:/data", "s3://bucket/data"),
    ("push", "stars"),
    ("pull", "stars"),
)


@pytest.fixture
def be(account: Account, tmp_path: Path) -> Callable[..., None]:
    """Be another person: another caller, another key, or both."""

    def become(who: str, key: bytes) -> None:
        account.ec2.who = who
        (tmp_path / "home" / ".ssh" / "id_ed25519.pub").write_bytes(key)
        account.elsewhere.clear()

    return become


@pytest.mark.parametrize(
    "changes", [CHANGES[::5], pytest.param(CHANGES, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_what_is_anothers_is_refused_by_every_command_that_changes(
    changes: tuple[tuple[str, ...], ...],
    roost: Roost,
    account: Account,
    file: Path,
    be: Callable[..., None],
) -> None:
    file.write_text(
        FILE
        + '[data]\npush = [{ from = "/data", to = "s3://bucket/data" }]\n'
        + 'pull = [{ from = "s3://bucket/data", to = "/data" }]\n'
    )
    ok(roost("up", file, "--yes"))
    assert "GetCallerIdentity" not in account.elsewhere
    before = account.left()
    be(BOB, BOBS_KEY)
    for words in (("up", file, "--yes"), *changes):
        account.ec2.begin()
        told = roost(*words)
        assert told.code == 4, (words, told.err)
        assert f"stars belongs to {ALICE} (key SHA256:" in told.err, words
        assert "--take-over" in told.err
        assert not [call for call in account.ec2.calls if not call.startswith("Describe")], words
    assert account.left() == before
    assert set(instances(account).values()) == {"running"}

    assert roost("ls").out.endswith(" root\n")  # `ls` asks moto itself, to which all are root
    assert f"owner: {ALICE} (key SHA256:" in roost("show", "stars").out
    told = roost("stop", "stars", "--take-over")
    assert told.code == 0, told.err
    assert f"stars belonged to {ALICE}" in told.err
    assert "machines that are there let in only whom they let in before" in told.err
    (pair,) = account.client.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert pair["PublicKey"].split()[1].encode() == BOBS_KEY.split()[1]
    assert roost("ls", "--json").json[0]["owner"] == BOB
    assert roost("show", "stars", "--json").json["owner"]["caller"] == BOB
    be(ALICE, KEY)
    assert roost("start", "stars").code == 4


def test_the_same_key_or_the_same_user_is_the_same_person(
    roost: Roost, account: Account, file: Path, be: Callable[..., None]
) -> None:
    ok(roost("up", file, "--yes"))
    be("arn:aws:sts::123456789012:assumed-role/Admin/another-session", KEY)
    ok(roost("stop", "stars"))
    assert account.elsewhere.count("GetCallerIdentity") == 0
    be(ALICE, BOBS_KEY)  # on another computer
    ok(roost("start", "stars"))
    assert account.elsewhere.count("GetCallerIdentity") == 1
    ok(roost("up", file, "--yes"))
    assert roost("show", "stars", "--json").json["owner"]["caller"] == ALICE


def test_a_name_without_an_owner_gets_one_by_the_next_change(
    roost: Roost, account: Account, file: Path, be: Callable[..., None]
) -> None:
    ok(roost("up", file, "--yes"))
    latest = {"LaunchTemplateName": "roost-stars", "Versions": ["$Latest"]}
    (one,) = account.client.describe_launch_template_versions(**latest)["LaunchTemplateVersions"]
    data = {"UserData": one["LaunchTemplateData"]["UserData"]}
    account.client.create_launch_template_version(
        LaunchTemplateName="roost-stars", LaunchTemplateData=data
    )
    assert roost("show", "stars", "--json").json["owner"] is None
    be(BOB, BOBS_KEY)
    ok(roost("stop", "stars"))  # this needs no record, and makes nobody its owner
    assert roost("show", "stars", "--json").json["owner"] is None
    ok(roost("start", "stars"))
    assert roost("show", "stars", "--json").json["owner"]["caller"] == BOB
    assert roost("ls", "--json").json[0]["owner"] == BOB
    account.ec2.begin()
    ok(roost("start", "stars"))
    assert not [call for call in account.ec2.calls if call.startswith("Create")]


def test_two_who_make_one_name_at_the_same_time_share_nothing(
    roost: Roost, account: Account, file: Path
) -> None:
    def meanwhile() -> None:
        account.ec2.who = BOB
        record = '{"name": "stars", "kind": "desktop", "cloud": "aws"}'
        told = f"roost: owner - key SHA256:{'b' * 43}"
        account.client.create_launch_template(**create_template("stars", record, {}, "", told))
        account.ec2.who = ALICE

    account.ec2.meanwhile[1] = meanwhile
    told = roost("up", file, "--yes")
    assert told.code == 1
    assert f"stars was made just now by {BOB}" in told.err
    assert set(account.left()) == {"templates"}


def test_the_files_operators_are_let_through(
    roost: Roost, account: Account, file: Path, be: Callable[..., None]
) -> None:
    file.write_text(FILE + '[access]\noperators = ["bob"]\n')
    ok(roost("up", file, "--yes"))
    be(BOB, BOBS_KEY)
    ok(roost("stop", "stars"))
    be(BOB.replace("bob", "eve"), BOBS_KEY)
    assert roost("start", "stars").code == 4


def test_who_has_a_key_in_the_file_comes_in_and_goes_on_until_it_is_taken_out(
    roost: Roost, account: Account, file: Path, be: Callable[..., None], sent: list[bytes]
) -> None:
    plain = file.read_text()
    pair = {"KeyName": "lab", "PublicKeyMaterial": OTHER_KEY}
    account.client.import_key_pair(**pair)
    (file.parent / "bob.pub").write_bytes(BOBS_KEY)
    keys = '[access]\nkeys = ["bob.pub", "aws:lab"]\n'
    file.write_text(plain + keys.replace("lab", "nobody"))
    told = roost("up", file, "--yes")
    assert told.code == 2
    assert "no key pair nobody is in eu-central-1" in told.err
    assert "instances" not in account.left()

    file.write_text(plain + keys)
    ok(roost("up", file, "--yes"))
    bob, lab = BOBS_KEY + b" bob", OTHER_KEY + b" lab"
    assert all(one in sent[-1] for one in (bob, lab))
    be(BOB, BOBS_KEY)
    ok(roost("restart", "stars"))
    assert all(one in sent[-1] for one in (bob, lab))
    assert "GetCallerIdentity" not in account.elsewhere
    assert roost("show", "stars", "--json").json["owner"]["caller"] == ALICE
    be(ALICE, KEY)
    file.write_text(plain)
    ok(roost("up", file, "--yes"))  # on machines that run
    assert b"authorized_keys2" in sent[-1]
    assert not any(one in sent[-1] for one in (bob, lab))
    be(BOB, BOBS_KEY)
    assert roost("stop", "stars").code == 4


def test_whoever_has_another_key_is_told_whose_the_machines_let_in(
    roost: Roost,
    account: Account,
    file: Path,
    be: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ok(roost("up", file, "--yes"))
    be(BOB, BOBS_KEY)
    (bin_ := file.parent / "bin").mkdir()
    (bin_ / "ssh").write_text(
        "#!/bin/sh\necho 'me: Permission denied (publickey).' >&2\nexit 255\n"
    )
    (bin_ / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setattr("roost.ssh.diagnose._answer", lambda *_: "")
    monkeypatch.setattr("roost.ssh.connection.learn", lambda *_: None)
    told = roost("ssh", "stars", "--", "true")
    assert f"desktop of stars lets in the key of {ALICE} (key SHA256:" in told.err
    assert "[access] keys" in told.err


def test_a_forged_description_is_no_owner(roost: Roost, account: Account, file: Path) -> None:
    ok(roost("up", file, "--yes"))
    for text in ("roost: owner", f"roost: owner {'x' * 181} key -", "roost: owner a\nb key c", ""):
        account.client.create_launch_template_version(
            LaunchTemplateName="roost-stars",
            LaunchTemplateData=template_data("{}"),
            **({"VersionDescription": text} if text else {}),
        )
        assert roost("show", "stars", "--json").json["owner"] is None
