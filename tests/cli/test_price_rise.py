"""Whatever raises the price is shown with its difference, and asked for, in every command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from roost.app.met import ASKING
from roost.cli.main import cli
from roost.model.resources import State
from tests.cli.calling import Roost
from tests.cli.full import Full, done
from tests.cli.made import THERE

ASKS = {
    *("up", "scale", "follow", "resize", "start", "resume", "park", "down"),
    *(
        "sync",
        "pull",
        "push",
        "ssh-config",
        "image bake",
        "image copy",
        "image rm",
        "reset",
        "swap",
        "stage",
        "rehearse",
    ),
}


def commands(group: click.Group = cli, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """All commands, and their options."""
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{word} ")
        elif command is not None:
            yield before + word, {name for one in command.params for name in one.opts}


def test_every_command_that_asks_can_be_told_yes_and_told_not_to_ask() -> None:
    found = dict(commands())
    assert {name for name, options in found.items() if "--yes" in options} == ASKS
    assert {name for name, options in found.items() if "--no-input" in options} == ASKS
    assert {name.split()[0] for name in ASKS} - {"down"} == ASKING
    # Only the consent of a session asks, and the rest of the command line has no question.
    source = Path(cli.callback.__code__.co_filename).parent
    asking = {
        file.name
        for file in source.rglob("*.py")
        if "click.confirm(" in file.read_text() or "click.prompt(" in file.read_text()
    }
    assert asking == {"terminal.py"}


def test_resume_asks_as_up_does(cloud: Full, desktop: Callable[[], State], roost: Roost) -> None:
    desktop()
    done(roost("park", "there", "--yes"))
    told = roost("resume", "there", "--no-input")
    assert (told.code, cloud.observe("there").instances) == (4, ())
    # 30 + 100 GB at 0.08 / 730 are 0.0142; as above with 4 vCPUs of t3a at full load
    assert "it costs at most $0.2896 an hour, and $0.0142 an hour while it is stopped" in told.err
    assert "next: roost resume there --yes" in told.err
    done(roost("resume", "there", "--yes"))


def test_a_stopped_machine_becomes_dearer_with_a_yes_only(
    desktop: Callable[[], State], roost: Roost
) -> None:
    desktop()
    done(roost("stop", "there"))
    words = ("resize", "there", "--type", "m7i.8xlarge", "--no-start")
    told = roost(*words, "--no-input")
    assert (told.code, desktop().instances[0].shape.type) == (4, "t3a.xlarge")
    # m7i.8xlarge 1.6128 instead of t3a.xlarge 0.1504 and its 0.12 at full load
    assert "it costs at most $0.2896 an hour now, and $1.63 an hour then" in told.err
    done(roost(*words, "--yes"))
    done(roost("resize", "there", "--type", "m7i.large", "--no-start", "--no-input"))  # cheaper


def test_workers_that_are_not_there_now_are_asked_for(
    cluster: Callable[[], State], roost: Roost
) -> None:
    cluster()
    done(roost("scale", "here", "4", "--yes"))
    done(roost("stop", "here"))
    told = roost("scale", "here", "4", "--no-input")
    assert (told.code, "4 more workers: " in told.err) == (4, True)


def test_start_asks_before_a_volume_changes(
    cloud: Full, roost: Roost, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose larger volume was agreed to, and never came to be."""
    done(roost("up", write(THERE), "--yes"))
    done(roost("stop", "there"))
    record = cloud.observe("there").record
    assert record is not None
    monkeypatch.setitem(cloud._records, "there", record.replace("100", "16000"))
    told = roost("start", "there", "--no-input")
    assert told.code == 4
    assert "volume data: 100 GiB -> 16000 GiB, $8.00 -> $1,280.00 a month" in told.err
    assert "a volume never becomes smaller again: data" in told.err
