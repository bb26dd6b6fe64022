"""Forged records and tags under every command: nothing leaves, nothing foreign changes, all end."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from roost.cli.main import SECTIONS
from roost.errors import RoostError
from roost.providers.aws import marks
from roost.providers.aws.requests import packed, record_in
from tests.aws.conftest import Account
from tests.aws.forging import FORGED, Forged, make, write
from tests.aws.moto_account import forget
from tests.aws.strict_images import StrictImages
from tests.aws.test_cli import ok, roost
from tests.aws.test_forged import FILE, SECRET, file, sent
from tests.cli.calling import Roost
from tests.laws import examples

__all__ = ["file", "roost", "sent"]

DATA = """
[[volumes]]
name = "data"
size = "10GB"
[data]
push = [{ from = "/data", to = "s3://bucket/data" }]
pull = [{ from = "s3://bucket/data", to = "/data" }]
"""
ALL = ("--yes", "--delete-data", "stars")
LINES = (
    *("ls", "show stars", "show stars --json", "cost stars", "logs stars", "audit"),
    *("plan stars", "plan FILE --diff", "doctor FILE", "iam FILE", "up FILE --yes"),
    "rehearse FILE --yes",
    *("up stars --yes", "open stars --no-browser", "run stars -- true", "ssh stars -- true"),
    *("cp FILE stars:/data", "sync stars:/data s3://bucket/x --yes", "pull stars --yes"),
    *(
        "push stars --yes",
        "ssh-config stars",
        "scale stars 2 --yes",
        "extend stars 2h",
        "follow stars --once",
    ),
    *("resize stars --type m5.4xlarge --yes", "restart stars", "image ls"),
    *("image bake stars --yes", "image rm stars --yes", "stop stars", "start stars"),
    *("park stars --yes", "resume stars", "debug-bundle stars", "down stars --yes"),
    *("collect stars FOLDER", "handout stars", "message stars hello", "stage stars x --yes"),
    *(
        "reset stars/seat-1 --yes",
        "swap stars/seat-1 --yes",
        "down stars --yes --delete-data stars",
    ),
)
OFFLINE = {"quote", "stages", "init", "prices", "schema", "completion", "web"}
MOST_SECONDS, MOST_MIB = 5.0, 200
LONGEST = 30
"""Seconds of a clock, on a computer that does other things too."""


def test_every_command_is_among_them() -> None:
    known = {command for section in SECTIONS.values() for command in section}
    assert {line.split()[0] for line in LINES} == known - OFFLINE


@pytest.fixture
def no_machine_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is at the addresses that moto gives."""

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError("nobody is there")

    def silent(*_: Any, **__: Any) -> Any:
        raise RoostError("it cannot be reached")

    monkeypatch.setattr("socket.create_connection", refused)
    for way in ("peek", "talk", "fetch"):
        monkeypatch.setattr(f"roost.provision.machines.Machines.{way}", silent)
    monkeypatch.setattr("roost.provision.machines.Machines.status", lambda *_: "")
    monkeypatch.setattr("roost.provision.deliver.glance", lambda _: {})
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ssh", "scp", "ssh-keyscan", "xdg-open"):
        (programs / name).write_text("#!/bin/sh\nexit 255\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


@pytest.fixture
def forged_commands(
    no_machine_answers: None,
    roost: Roost,
    account: Account,
    file: Path,
    sent: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Forge, run the lines, and look at what was done."""
    del no_machine_answers
    monkeypatch.chdir(file.parent)  # `debug-bundle` writes there
    file.write_text(FILE + DATA)
    secret = file.parent / "home" / ".aws" / "credentials"
    assert secret.read_bytes() == SECRET

    def run(forged: Forged, lines: tuple[str, ...]) -> None:
        forget()
        account.ec2, account.now = StrictImages(), 0.0
        account.__dict__.pop("client", None)
        sent.clear()
        ok(roost("up", file, "--yes"))
        latest = {"LaunchTemplateName": "roost-stars", "Versions": ["$Latest"]}
        versions = account.client.describe_launch_template_versions(**latest)
        text = record_in(versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]) or ""
        theirs = {
            make(account, kind, {"team": "theirs"}, 90)
            for kind in ("instance", "volume", "security-group")
        }
        for one in write(account, forged, text, str(secret)):
            if one in strange(account):
                theirs.add(one)
        account.ec2.begin()
        for line in lines:
            words = [str(file) if word == "FILE" else word for word in line.split()]
            with within_limits(line):
                told = roost(*words)
            assert told.code in range(6), (line, told)
            assert "Traceback" not in told.err, (line, told.err)
        assert not any(SECRET in one for one in sent)
        changes = [
            asked for name, asked in account.ec2.asked if not name.startswith(("Des", "Get"))
        ]
        said = json.dumps(changes, default=str)
        assert not [one for one in theirs if one in said], (lines, said)

    return run


def strange(account: Account) -> set[str]:
    """Return the ids of what has the name's tag and not all others as roost gives them."""
    found = set()
    for kind, (call, field) in marks.DESCRIBED.items():
        described = getattr(account.client, call)(
            Filters=[{"Name": "tag:roost", "Values": ["stars"]}]
        )[field]
        found |= {foreign.id for foreign in marks.sort_out(kind, described, "stars")[1]}
    return found


@contextmanager
def within_limits(line: str) -> Iterator[None]:
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def too_long(*_: object) -> None:
        raise AssertionError(f"{line} does not end")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert time.process_time() - begun < MOST_SECONDS, line
    assert used < MOST_MIB * 1024, (line, used)


def forge(account: Account, raw: str) -> None:
    account.client.create_launch_template_version(
        LaunchTemplateName="roost-stars", LaunchTemplateData={"UserData": raw}
    )


def test_with_any_record_a_name_is_stopped_parked_ended_and_mended(
    roost: Roost, account: Account, file: Path, sent: list[bytes]
) -> None:
    del sent
    file.write_text(FILE + DATA)
    ok(roost("up", file, "--yes"))
    forge(account, packed('{"name": "stars", "kind": "desktop", "x": 1}'))
    assert roost("start", "stars").code == 1
    ok(roost("stop", "stars"))
    told = roost("up", file, "--yes")
    assert told.code == 0, told.err
    forge(account, packed("[]"))
    account.settle()
    told = roost("park", "stars", "--yes")
    assert told.code == 0, told.err
    assert "volumes" not in account.left()
    assert account.ec2.lost == []
    account.ec2.discarded = {"data"}
    told = roost("down", "stars", "--yes", "--delete-data", "stars")
    assert told.code == 0, told.err
    assert account.left() == {}


CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def test_three_commands_under_what_others_wrote(forged_commands: Any) -> None:
    @settings(max_examples=3, deadline=None, suppress_health_check=CHECKS, phases=[Phase.generate])
    @given(FORGED, st.lists(st.sampled_from(LINES), min_size=3, max_size=3).map(tuple))
    def run(forged: Forged, lines: tuple[str, ...]) -> None:
        forged_commands(forged, lines)

    run()


@pytest.mark.slow
def test_every_command_under_what_others_wrote(forged_commands: Any) -> None:
    @settings(
        max_examples=examples(18),
        deadline=None,
        suppress_health_check=CHECKS,
        phases=[Phase.generate],
    )
    @given(FORGED, st.permutations(LINES).map(tuple))
    def run(forged: Forged, lines: tuple[str, ...]) -> None:
        forged_commands(forged, lines)

    run()
