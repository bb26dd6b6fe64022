"""What a command is about: a file, or a name that already exists."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roost.cli.options import Place
from roost.cli.output import say
from roost.errors import BusyError, NotFoundError, RoostError, UsageError, command_line

if TYPE_CHECKING:
    from roost.clouds.aws.cloud import AwsCloud
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State, Wanted
    from roost.spec import Spec

DEFAULT_FILE = "roost.toml"
NOWHERE = Place()
"""No option says where."""
SAYS_AWS = (
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""What a computer that uses AWS has; without any of it, AWS is not asked."""
AWS_FILES = ("~/.aws/config", "~/.aws/credentials")
HOLD_PATIENCE = 600.0
"""Seconds to wait for another roost that is at work on the same name."""


def connect(spec: Spec, place: Place = NOWHERE) -> Cloud:
    """The cloud that a spec wants. Raises UsageError where roost cannot run anything there yet."""
    if spec.cloud == "local":
        return _local()
    if spec.cloud == "aws" and spec.aws is not None:
        return _aws(place.region or spec.aws.region, place.profile or spec.aws.profile)
    raise UsageError(
        f'running on "{spec.cloud}" is not in this version yet',
        next='cloud = "aws" or "local" in the file',
    )


def _local() -> Cloud:
    from roost.clouds.local.cloud import LocalCloud
    from roost.recipes.local import boot

    return LocalCloud(boot)


def _aws(region: str | None, profile: str | None) -> AwsCloud:
    from roost.access.keys import public_key
    from roost.clouds.aws.session import connect
    from roost.recipes.rented import boot

    cloud = connect(region, profile, public_key, boot)
    cloud.retire = partial(_retire, cloud)
    return cloud


def _retire(cloud: Cloud, state: State, names: tuple[str, ...]) -> None:
    """The machines do it themselves: the cloud knows nothing of what runs on them."""
    from roost.access.retire import retire
    from roost.cli.reach import host_keys_of

    retire(state, names, host_keys_of(cloud), say)


def locate(name: str, place: Place = NOWHERE) -> Cloud:
    """The cloud in which a name is: this machine, or the one region of AWS that has it.

    Raises NotFoundError where it is nowhere, UsageError where it is in two regions.
    """
    from roost.home import names

    if place.cloud == "local" or (place == NOWHERE and name in names()):
        return _local()
    if place.region is not None:
        return _aws(place.region, place.profile)
    if place == NOWHERE and not perhaps_on_aws():
        raise missing(name)
    from roost.clouds.aws.session import regions, regions_with

    among = regions(place.profile)
    found = regions_with(name, among, place.profile) if len(among) > 1 else among
    if len(found) > 1:
        raise UsageError(
            f"{name} is in {' and in '.join(found)}",
            next=command_line(*_command(), name, "--region", found[0]),
        )
    if not found:
        raise missing(name, f"on this machine, nor on AWS in {', '.join(among) or 'any region'}")
    return _aws(found[0], place.profile)


def perhaps_on_aws() -> bool:
    """Whether to ask AWS for a name: this computer has used it, or is configured for it.

    Without boto3 it has not; then what runs here is found all the same.
    """
    from importlib.util import find_spec

    if find_spec("botocore") is None:
        return False
    from roost.clouds.aws.session import used_here

    told = any(os.environ.get(key) for key in SAYS_AWS)
    return told or used_here() or any(Path(file).expanduser().is_file() for file in AWS_FILES)


def wanted_for(spec: Spec) -> Wanted:
    """All that a spec wants, on this host where it wants it here."""
    from roost.catalogue import load
    from roost.clouds.local.host import this_host
    from roost.plan.wanted import wanted_of

    return wanted_of(spec, this_host(), load)


def clouds(place: Place = NOWHERE) -> tuple[Cloud, ...]:
    """Every cloud to look in: this machine, and each region of AWS that may have something."""
    local = () if place.cloud == "aws" or place.region or place.profile else (_local(),)
    if place.cloud == "local":
        return (_local(),)
    if place.region is not None:
        return (*local, _aws(place.region, place.profile))
    if place == NOWHERE and not perhaps_on_aws():
        return local
    from roost.clouds.aws.session import regions

    return (*local, *(_aws(region, place.profile) for region in regions(place.profile)))


def file_or_name(target: str | None) -> Path | str:
    """A path to a spec file, or a name that exists, or may exist on AWS.

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
    if target is not None and _may_be_a_name(target) and perhaps_on_aws():
        return target
    files = sorted(str(p) for p in [*Path().glob("*.toml"), *path.parent.glob("*.toml")])
    close = get_close_matches(str(path), [*files, *known], n=1)
    raise NotFoundError(
        f"{path}: no such file, and nothing of that name exists"
        + (f'; did you mean "{close[0]}"?' if close else ""),
        next=command_line(*_command(), close[0])
        if close
        else "roost init cluster   (writes a file)",
    )


def _may_be_a_name(target: str) -> bool:
    from roost.spec.values import NAME

    return re.fullmatch(NAME, target) is not None


def _command() -> list[str]:
    context = click.get_current_context(silent=True)
    return (context.command_path if context else "roost up").split()


def spec_of(target: str | None, place: Place = NOWHERE) -> Spec:
    """The spec of a file or a name, for another cloud or region if the options name one."""
    found = file_or_name(target)
    if isinstance(found, Path):
        from roost.spec import load

        return load(found, cloud=place.cloud, region=place.region)
    from roost.spec import from_json

    where = locate(found, Place() if place.cloud in (None, "openstack") else place)
    return from_json(_record(where, found)[0], cloud=place.cloud, region=place.region)


def recorded(cloud: Cloud, name: str) -> tuple[Spec, State]:
    """The spec that made ``name``, and what is there now. Raises NotFoundError."""
    from roost.spec import from_json

    record, state = _record(cloud, name)
    return from_json(record), state


def _record(cloud: Cloud, name: str) -> tuple[str, State]:
    state = existing(cloud, name)
    if state.record is None:
        raise RoostError(f"the record of {name} is lost", next=command_line("roost", "down", name))
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


def missing(name: str, where: str = "") -> NotFoundError:
    """The error for a name that does not exist, with the names that do."""
    from roost.home import names

    known = names()
    close = get_close_matches(name, known, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    there = f" (there are: {', '.join(known)})" if known else ""
    return NotFoundError(
        f'nothing named "{name}" exists {where or "here"}{there}{hint}', next="roost ls"
    )


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
