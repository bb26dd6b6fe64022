"""A NAME is a name in every command: what leads elsewhere is refused, and nothing is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from roost.cli.main import cli
from roost.errors import UsageError
from roost.home import check_name, folder, names
from roost.model.steps import Forget
from roost.notebook.dask.discovery import find
from roost.providers.aws.cloud import AwsCloud
from roost.providers.aws.session import regions_with
from roost.providers.hold import hold
from roost.providers.local.cloud import LocalCloud
from roost.recipes.local import boot
from roost.ssh.paths import places
from roost.ssh.tunnel import forget
from tests.cli.calling import Roost
from tests.walk import each

OTHER_ARGUMENTS = {
    ("cp", "paths"): None,
    ("sync", "source"): None,
    ("sync", "target"): None,
    ("init", "kind"): None,
    ("completion", "shell"): None,
    ("pull", "only"): None,
    ("push", "only"): None,
    ("resize", "role"): None,
    ("stage", "stage"): "picking",
    ("extend", "node"): None,
    ("ssh", "node"): None,
    ("ssh", "line"): None,
    ("restart", "node"): None,
    ("logs", "node"): None,
    ("extend", "span"): "1h",
    ("scale", "workers"): "2",
    ("image share", "account"): "111122223333",
}
"""Arguments that are no name (nodes are looked up among those that there are), and a right value
of each that a command must have. An argument that is not here is tested as a name."""
OPTIONS = {"image copy": ("--region", "us-east-1")}
"""What else must be there."""
NAMES_IN_OPTIONS = (
    ("init", "desktop", "--name"),
    ("image", "bake", "ndvi", "--as"),
    ("image", "copy", "ndvi", "--region", "us-east-1", "--as"),
)
WRONG = ("../victim", "{victim}", ".", "..", "", "victim\n", "vic\ntim", "*", "a/../../victim", "~")
"""``{victim}``: the whole path of it."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def named() -> Iterator[tuple[str, ...]]:
    """The words before a name, ``NAME``, and the words after it; of each command that takes one."""
    for words, command in commands(cli):  # type: ignore[arg-type]
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        line = [OTHER_ARGUMENTS.get((words, str(one.name)), "NAME") for one in arguments]
        if "NAME" in line:
            yield (*words.split(), *(word for word in line if word), *OPTIONS.get(words, ()))


COMMANDS = tuple(named())


@pytest.fixture
def victim(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a name's, where ``../victim`` leads from where names are."""
    (alone / "local" / "ndvi").mkdir(parents=True)
    (alone / "ssh" / "names").mkdir(parents=True)
    for folder_of_user in (alone / "victim", alone / "ssh" / "victim"):
        (folder_of_user / "sub").mkdir(parents=True)
        (folder_of_user / "spec.json").write_text("{}")
        (folder_of_user / "sub" / "thesis.txt").write_text("all of it")
    for parent in (alone / "local", alone):
        (parent / "spec.json").write_text("{}")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return alone / "victim"


def tree(root: Path) -> dict[str, str | None]:
    """Every path below it, with what the files hold."""
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else None
        for path in root.rglob("*")
    }


def refused(roost: Roost, root: Path, words: tuple[str, ...]) -> None:
    """Exit code 2, an error that says something, and no file made, changed or deleted."""
    before = tree(root)
    told = roost(*words)
    assert told.code == 2, (words, told)
    assert "roost: " in told.err or "Error: " in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
    assert tree(root) == before, words


def test_the_walk_meets_the_commands() -> None:
    assert {line[0] for line in COMMANDS} >= {
        *("down", "up", "start", "stop", "park", "resume", "restart", "resize", "scale", "follow"),
        "extend",
        *("show", "open", "run", "ssh", "logs", "cost", "ssh-config", "pull", "push", "image"),
        *("plan", "doctor", "iam"),
    }
    unknown = OTHER_ARGUMENTS.keys() - {
        (words, param.name)
        for words, command in commands(cli)  # type: ignore[arg-type]
        for param in command.params
    }
    assert not unknown


@pytest.mark.parametrize("wrong", WRONG)
def test_every_command_refuses_it(roost: Roost, victim: Path, tmp_path: Path, wrong: str) -> None:
    bad = wrong.format(victim=victim)
    all_commands = dict(commands(cli))  # type: ignore[arg-type]

    def check(line: tuple[str, ...]) -> None:
        words = tuple(bad if word == "NAME" else word for word in line)
        refused(roost, tmp_path, words)
        command = all_commands[" ".join(line[: line.index("NAME")])]
        has = {option for param in command.params for option in param.opts}
        for more in (("--cloud", "local"), ("--region", "us-east-1")):
            if more[0] in has and more[0] not in line:
                refused(roost, tmp_path, (*words, *more))
                if "--no-input" in has:
                    refused(roost, tmp_path, (*words, *more, "--no-input"))
                    refused(roost, tmp_path, (*words, *more, "--yes"))

    each(COMMANDS, check, " ".join)


@pytest.mark.parametrize("wrong", WRONG)
def test_so_do_options(roost: Roost, victim: Path, tmp_path: Path, wrong: str) -> None:
    def check(line: tuple[str, ...]) -> None:
        refused(roost, tmp_path, (*line, wrong.format(victim=victim)))

    each(NAMES_IN_OPTIONS, check, " ".join)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_name_before_a_colon_is_a_path_of_this_computer(
    roost: Roost, victim: Path, tmp_path: Path, wrong: str
) -> None:
    side = f"{wrong.format(victim=victim)}:x"
    refused(roost, tmp_path, ("cp", side, "."))
    refused(roost, tmp_path, ("cp", "x", side))


@pytest.mark.parametrize("side", ["a-:x", "a" * 31 + ":x", "a-/head:x"])
def test_a_name_before_a_colon_is_one(
    roost: Roost, victim: Path, tmp_path: Path, side: str
) -> None:
    for words in (("cp", side, "."), ("cp", ".", side), ("sync", side, "s3://bucket/x")):
        told = roost(*words)
        assert told.code == 2
        assert "is not a name" in told.err


@pytest.mark.parametrize("verb", ["pull", "push"])
@pytest.mark.parametrize("which", ["../head", "/head", "ndvi/", "NDVI/head"])
def test_the_name_before_a_node_is_one(
    roost: Roost, victim: Path, tmp_path: Path, verb: str, which: str
) -> None:
    refused(roost, tmp_path, (verb, which))


def test_the_error_says_what_a_name_is_and_which_was_meant(roost: Roost, victim: Path) -> None:
    told = roost("down", "Ndvi_2")
    assert "'Ndvi_2' is not a name (small letters" in told.err
    assert 'did you mean "ndvi-2"?' in told.err
    assert "next: roost ls" in told.err
    assert len(roost("down", "x" * 100_000).err) < 400


def test_a_name_alone_is_deleted_as_before(roost: Roost, victim: Path) -> None:
    record = victim.parent / "local" / "ndvi" / "spec.json"
    record.write_text("{}")
    assert roost("down", "ndvi", "--no-input").code == 0
    assert not record.parent.exists()


# --- below the command line ----------------------------------------------------------------------


def local_cloud(at: Path) -> LocalCloud:
    return LocalCloud(boot, at)


def no_clients(service: str) -> Any:
    raise AssertionError(f"{service} was asked")


@pytest.mark.parametrize("wrong", WRONG)
def test_no_folder_is_made_of_it(alone: Path, victim: Path, tmp_path: Path, wrong: str) -> None:
    bad = wrong.format(victim=victim)
    before = tree(tmp_path)
    local = local_cloud(alone)
    aws = AwsCloud(
        clients=no_clients,
        region="us-east-1",
        caller=str,
        public_key=bytes,
        locks=alone / "aws",
    )
    for attempt in (
        lambda: folder(bad),
        lambda: check_name(bad),
        lambda: places(bad),
        lambda: forget(bad),
        lambda: local.observe(bad),
        lambda: local.apply(bad, Forget()),
        lambda: local.half_made(bad),
        lambda: local.logs(bad, "head", 1),
        lambda: local.hold(bad, "test").__enter__(),
        lambda: hold(alone / "lock", bad, "test").__enter__(),
        lambda: aws.observe(bad),
        lambda: aws.apply(bad, Forget()),
        lambda: aws.hold(bad, "test").__enter__(),
        lambda: regions_with(bad, ("us-east-1",), None),
    ):
        with pytest.raises(UsageError, match="is not a name"):
            attempt()
    if bad:  # without one, it is the only one that there is
        with pytest.raises(UsageError, match="is not a name"):
            find(bad)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("instance", ["..", ".", "", "../../victim", "/etc"])
def test_no_instance_is_another_folder(alone: Path, instance: str) -> None:
    with pytest.raises(UsageError, match="is not an instance"):
        folder("ndvi").machine(instance)


def test_only_names_are_listed(alone: Path, roost: Roost) -> None:
    for name in ("ndvi", "stars-2", "NDVI", "lost+found", "-x", ".new-a", "a b", "x\n", "a" * 31):
        (alone / "local" / name).mkdir(parents=True)
    (alone / "local" / "file").write_text("")
    assert names() == ("ndvi", "stars-2")
    assert [row["name"] for row in roost("ls", "--json").json] == ["ndvi", "stars-2"]
    assert roost("down", os.fspath(alone / "local" / "NDVI"), "--cloud", "local").code == 2
