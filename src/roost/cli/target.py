"""What a command is about: a file, or a name that already exists."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roost.cli.output import say
from roost.errors import BusyError, NotFoundError, RoostError, UsageError

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State, Wanted
    from roost.spec import Spec

DEFAULT_FILE = "roost.toml"
HOLD_PATIENCE = 600.0
"""Seconds to wait for another roost that is at work on the same name."""


def connect(cloud: str) -> Cloud:
    """The cloud of that name. Raises UsageError where roost cannot run anything there yet."""
    if cloud != "local":
        raise UsageError(
            f'running on "{cloud}" is not in this version yet; planning and pricing it is',
            next=f"roost plan FILE --cloud {cloud}",
        )
    from roost.clouds.local.cloud import LocalCloud
    from roost.recipes.local import boot

    return LocalCloud(boot)


def wanted_for(spec: Spec) -> Wanted:
    """All that a spec wants, on this host where it wants it here."""
    from roost.catalogue import load
    from roost.clouds.local.host import this_host
    from roost.plan.wanted import wanted_of

    return wanted_of(spec, this_host(), load)


def clouds() -> tuple[Cloud, ...]:
    """Every cloud to look in."""
    return (connect("local"),)


def file_or_name(target: str | None) -> Path | str:
    """A path to a spec file, or the name of something that exists.

    Without a target, ``roost.toml`` here. Raises NotFoundError where it is neither.
    """
    path = Path(target or DEFAULT_FILE)
    if path.is_file():
        return path
    from roost.home import names

    known = names()
    if target in known:
        return target
    if path.is_dir() and (path / DEFAULT_FILE).is_file():
        return path / DEFAULT_FILE
    files = sorted(str(p) for p in [*Path().glob("*.toml"), *path.parent.glob("*.toml")])
    close = get_close_matches(str(path), [*files, *known], n=1)
    raise NotFoundError(
        f"{path}: no such file, and nothing of that name exists"
        + (f'; did you mean "{close[0]}"?' if close else ""),
        next=f"{_command()} {close[0]}" if close else "roost init cluster   (writes a file)",
    )


def _command() -> str:
    context = click.get_current_context(silent=True)
    return context.command_path if context else "roost up"


def spec_of(target: str | None, cloud: str | None = None, region: str | None = None) -> Spec:
    """The spec of a file or a name, for another cloud or region if one is given."""
    found = file_or_name(target)
    if isinstance(found, Path):
        from roost.spec import load

        return load(found, cloud=cloud, region=region)
    from roost.spec import from_json

    return from_json(_record(connect("local"), found)[0], cloud=cloud, region=region)


def recorded(cloud: Cloud, name: str) -> tuple[Spec, State]:
    """The spec that made ``name``, and what is there now. Raises NotFoundError."""
    from roost.spec import from_json

    record, state = _record(cloud, name)
    return from_json(record), state


def _record(cloud: Cloud, name: str) -> tuple[str, State]:
    state = existing(cloud, name)
    if state.record is None:
        raise RoostError(f"the record of {name} is lost", next=f"roost down {name}")
    return state.record, state


def existing(cloud: Cloud, name: str) -> State:
    """What is there of ``name``. Raises NotFoundError where that is nothing."""
    state = cloud.observe(name)
    if state.empty:
        raise missing(name)
    return state


def kind_of(state: State) -> str:
    """Desktop, cluster or classroom, whatever else the record says."""
    try:
        return str(json.loads(state.record or "")["kind"])
    except (ValueError, KeyError, TypeError):
        return "unknown"


def missing(name: str) -> NotFoundError:
    """The error for a name that does not exist, with the names that do."""
    from roost.home import names

    known = names()
    close = get_close_matches(name, known, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    there = f" (there are: {', '.join(known)})" if known else ""
    return NotFoundError(f'nothing named "{name}" exists here{there}{hint}', next="roost ls")


@contextmanager
def held(cloud: Cloud, name: str) -> Iterator[None]:
    """Be the only one at work on ``name``; wait for another roost, saying which it is."""
    what = click.get_current_context().command_path + f" {name}"
    deadline = time.monotonic() + HOLD_PATIENCE
    told = False
    while True:
        holding = cloud.hold(name, what)
        try:
            holding.__enter__()
            break
        except BusyError as busy:
            if time.monotonic() > deadline:
                raise
            if not told:
                say(f"{busy.what}; waiting for it to end (Ctrl-C leaves it alone)")
                told = True
            time.sleep(0.2)
    try:
        yield
    finally:
        holding.__exit__(None, None, None)
