"""Find the subject of a use case: a file, or an existing name, and the cloud that has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from roost.app.left import tell_costs
from roost.errors import (
    BusyError,
    NeedsConfirmationError,
    NotFoundError,
    RoostError,
    UsageError,
    command_line,
)
from roost.model.place import NOWHERE, Place
from roost.model.record import read_record

if TYPE_CHECKING:
    from roost.model.resources import State, Wanted
    from roost.providers.provider import Cloud, Lister, Provider, Tools
    from roost.session import Session
    from roost.spec import Spec

DEFAULT_FILE = "roost.toml"
HOLD_PATIENCE = 600.0
"""Seconds to wait for another roost that is changing the same name."""


# --- clouds --------------------------------------------------------------------------------------


def connect(session: Session, spec: Spec) -> Cloud:
    """Return the cloud that a spec wants. Raises UsageError where roost cannot run it there yet."""
    from roost.providers.registry import provider_of

    return provider_of(spec.cloud).open(session.place, _tools(session), spec)


def locate(session: Session, name: str) -> Cloud:
    """Return the cloud that has a name.

    Raises NotFoundError where it is nowhere, UsageError where it is in two places.
    """
    place, tools = session.place, _tools(session)
    looked_in: list[Provider] = []
    for provider in _asked(place):
        looked_in.append(provider)
        clouds = provider.find(name, place, tools)
        if len(clouds) > 1:
            regions = " and in ".join(cloud.region for cloud in clouds)
            raise UsageError(
                f"{name} is in {regions}",
                next=command_line(*session.command.split(), name, "--region", clouds[0].region),
            )
        if clouds:
            return clouds[0]
    elsewhere = [one.where(place) for one in looked_in]
    raise missing(name, ", nor ".join(elsewhere) if len(elsewhere) > 1 else "")


def clouds(session: Session) -> tuple[Cloud, ...]:
    """Return every cloud to search."""
    tools = _tools(session)
    return tuple(c for p in _asked(session.place) for c in p.everywhere(session.place, tools))


def listers(session: Session) -> tuple[Lister, ...]:
    """Return what lists all names, as cheaply as each provider can."""
    tools = _tools(session)
    return tuple(c for p in _asked(session.place) for c in p.listers(session.place, tools))


def _asked(place: Place) -> tuple[Provider, ...]:
    """Return the providers that the options mean: the named one, or those that this computer uses.

    A region or a profile means a provider that has regions; the own machine has none.
    """
    from roost.providers.registry import providers

    among = providers(place.cloud)
    if place.cloud is not None:
        return among
    if place.region or place.profile:
        return _regional(among, place)
    return tuple(p for p in among if p.is_configured())


def _regional(among: tuple[Provider, ...], place: Place) -> tuple[Provider, ...]:
    """Return the providers that the named region can be of, as far as their rules know it."""
    from roost.providers.rules import rules_of

    regional = tuple(p for p in among if p.regional)
    regions = {p.name: rules_of(p.name).regions for p in regional}
    sure = tuple(p for p in regional if (r := regions[p.name]) and place.region in r.names)
    open_ones = tuple(p for p in regional if regions[p.name] is None and p.is_configured())
    closed = tuple(p for p in regional if regions[p.name] is not None)
    if sure:
        return sure
    return (open_ones or closed) if place.region else (*closed, *open_ones)


def may_be_elsewhere() -> bool:
    """Return whether this computer uses any cloud but itself."""
    from roost.providers.registry import providers

    return any(p.is_configured() for p in providers() if p.rents)


def _tools(session: Session) -> Tools:
    from roost.providers.provider import Tools
    from roost.ssh.keys import public_key

    return Tools(public_key=public_key, retire=partial(_retire, session), warn=session.warn)


def _retire(session: Session, cloud: Cloud, state: State, names: tuple[str, ...]) -> None:
    """Let the machines do it themselves: the cloud knows nothing of what runs on them."""
    from roost.provision.retire import retire
    from roost.ssh.connection import host_keys_of

    retire(state, names, host_keys_of(cloud, session.say), session.say)


# --- files and names -----------------------------------------------------------------------------


def wanted_for(spec: Spec) -> Wanted:
    """Return all that a spec wants; for the own machine, on this host."""
    from roost.app.host import this_host
    from roost.plan.wanted import wanted_of

    return wanted_of(spec, this_host())


def fitted(cloud: Cloud, spec: Spec, have: State) -> Wanted:
    """Return all that a spec wants, with the types that the cloud itself has for it.

    What is there already and does is kept, so that its plan is empty. Raises UsageError.
    """
    wanted = wanted_for(spec)
    fitting = cloud.can.fitting
    return wanted if fitting is None else fitting.fit(spec, wanted, have)


def file_or_name(target: str | None, command: str = "roost up") -> Path | str:
    """Return the path of a spec file, or a name that exists, or may exist in a cloud.

    Without a target, ``roost.toml`` here. Raises NotFoundError where it is neither.
    """
    path = Path(target or DEFAULT_FILE)
    if path.is_file():
        return path
    from roost.home import is_name, names

    known = names()
    if target in known:
        return target
    if path.is_dir() and (path / DEFAULT_FILE).is_file():
        return path / DEFAULT_FILE
    if path.is_dir() and not (is_name(str(target)) and may_be_elsewhere()):
        raise NotFoundError(
            f"{path} is a folder, and there is no {DEFAULT_FILE} in it",
            next=command_line("roost", "init", "cluster", "--file", path / DEFAULT_FILE),
        )
    if target is not None and is_name(target) and may_be_elsewhere():
        return target
    files = sorted(str(p) for p in [*Path().glob("*.toml"), *path.parent.glob("*.toml")])
    close = get_close_matches(str(path), [*files, *known], n=1)
    raise NotFoundError(
        f"{path}: no such file, and nothing of that name exists"
        + (f'; did you mean "{close[0]}"?' if close else ""),
        next=command_line(*command.split(), close[0])
        if close
        else "roost init cluster   (writes a file)",
    )


def spec_of(session: Session, target: str | None) -> Spec:
    """Return the spec of a file or a name, for another cloud or region if the options name one."""
    place = session.place
    file = file_or_name(target, session.command)
    if isinstance(file, Path):
        from roost.spec import load

        return load(file, cloud=place.cloud, region=place.region)
    from dataclasses import replace

    from roost.providers.registry import PROVIDERS
    from roost.spec import from_json

    there = place if place.cloud in PROVIDERS else NOWHERE
    cloud = locate(replace(session, place=there), file)
    record = _record(cloud, usable(cloud, file))
    return from_json(record, cloud=place.cloud, region=place.region)


def recorded(cloud: Cloud, name: str) -> tuple[Spec, State]:
    """Return the spec that made ``name``, and its state now. Raises NotFoundError."""
    from roost.spec import from_json

    state = usable(cloud, name)
    return from_json(_record(cloud, state)), state


def spec_in(cloud: Cloud, have: State) -> Spec:
    """Return the spec that made what is there. Raises NotFoundError, RoostError."""
    from roost.spec import from_json

    return from_json(_record(cloud, checked(have)))


def readable_spec(state: State) -> Spec | None:
    """Return the file's settings; None where the record is lost or cannot be read."""
    from roost.spec import from_json

    with suppress(RoostError):
        return from_json(state.record) if state.record else None
    return None


def _record(cloud: Cloud, state: State) -> str:
    if not state.record:
        raise RoostError(
            f"the record of {state.name} is lost", next=command_line("roost", "down", state.name)
        )
    _check_own(cloud, state.name, state.record)
    return state.record


def _check_own(cloud: Cloud, name: str, record: str) -> None:
    """Refuse a record of something else: others of the account can write it. Raises RoostError."""
    from roost.providers.rules import rules_of
    from roost.spec import from_json

    said = read_record(record)
    wrong = [] if said.name == name else [f"the name {said.name!r}"]
    if said.cloud != cloud.name:
        wrong.append(f"the cloud {said.cloud!r}")
    elif not wrong and rules_of(cloud.name).regions is not None:
        region = rules_of(cloud.name).price_region(from_json(record))
        wrong += [f"the region {region!r}"] if region not in (None, cloud.region) else []
    if wrong:
        raise RoostError(
            f"the record of {name} says {' and '.join(wrong)[:200]}: somebody else has written it",
            next=command_line("roost", "up", "FILE")
            + "   (writes it anew from your file), or: "
            + command_line("roost", "down", name),
        )


def existing(cloud: Cloud, name: str) -> State:
    """Return the state of ``name``, whatever it is. Raises NotFoundError where there is nothing."""
    state = cloud.observe(name)
    if state.empty:
        raise missing(name)
    return state


def usable(cloud: Cloud, name: str) -> State:
    """Return the state of ``name`` to reach or change it. Raises RoostError where two are one."""
    return checked(cloud.observe(name))


def checked(state: State) -> State:
    """Return the state if it can be reached and changed. Raises RoostError, NotFoundError."""
    from roost.plan.refusal import refuse_doubles

    if state.empty:
        raise missing(state.name)
    if refusal := refuse_doubles(state):
        raise RoostError(refusal.what, exists=refusal.exists, next=refusal.next)
    return state


def kind_of(state: State) -> str:
    """Return desktop, cluster or classroom, even if the rest of the record is unreadable."""
    return read_record(state.record).kind


def missing(name: str, where: str = "") -> NotFoundError:
    """Return the error for a name that does not exist, with the names that do."""
    from roost.home import names

    known = names()
    close = get_close_matches(name, known, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    others = f". There are: {', '.join(known)}" if known else ""
    place = f" {where}" if where else ""
    return NotFoundError(f"no such name{place}: {name}{others}{hint}", next="roost ls")


@contextmanager
def held(session: Session, cloud: Cloud, name: str) -> Iterator[State]:
    """Hold the lock of ``name`` to change it, and yield what is there; another's is refused.

    Wait for another roost that has the lock, and say which it is. An error says what it leaves
    behind, and what that costs.
    """
    from roost.app.met import check_met
    from roost.app.owner import check_owner

    deadline = time.monotonic() + HOLD_PATIENCE
    told = False
    while True:
        holding = cloud.hold(name, f"{session.command} {name}")
        try:
            holding.__enter__()
            break
        except BusyError as busy:
            if time.monotonic() > deadline:
                raise
            if not told:
                session.say(f"{busy.what}; waiting for it to end (Ctrl-C leaves it alone)")
                told = True
            time.sleep(0.2)
    try:
        have = cloud.observe(name)
        check_owner(session, cloud, have)
        check_met(session, cloud, have)
        yield have
    except (UsageError, NeedsConfirmationError):
        raise  # nothing has been changed
    except RoostError as error:
        if cloud.can.rents:
            tell_costs(error, cloud, name)
        raise
    finally:
        holding.__exit__(None, None, None)
