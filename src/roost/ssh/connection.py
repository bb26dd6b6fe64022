"""The OpenSSH configuration of what a cloud has now.

It is written anew for every command, because addresses change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roost.errors import NotFoundError, RoostError, command_line
from roost.home import write_private
from roost.model.record import UNKNOWN, read_record
from roost.model.resources import GATEWAY, Instance, State
from roost.ssh.config import (
    Host,
    alias,
    by_gateway,
    by_session_manager,
    config,
    key_alias,
    main_machine,
    user_of,
    way_through,
)
from roost.ssh.keys import identities
from roost.ssh.paths import Places, places, socket

if TYPE_CHECKING:
    from roost.providers.provider import Cloud

HostKeys = Callable[[str, str], tuple[str, ...]]
"""``host_keys(name, instance)``: what the console of an instance says its host keys are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The way to one machine: ``ssh -F config alias``.

    ``main`` is the name's main machine; ``gate`` the machine through which the way leads, if any;
    ``unproven`` names the machines whose host key no console has told, and nobody has seen yet.
    """

    name: str
    node: Instance
    config: Path
    alias: str
    host: Host
    main: Instance | None = None
    gate: Instance | None = None
    unproven: tuple[str, ...] = ()


def host_keys_of(cloud: Cloud, tell: Callable[[str], None]) -> HostKeys:
    """Return how a cloud shows host keys; an unreadable console is no reason not to connect."""
    console = cloud.can.host_keys
    if console is None:
        return lambda *_: ()

    def read(name: str, instance: str) -> tuple[str, ...]:
        try:
            return console.host_keys(name, instance)
        except RoostError as error:
            tell(f"the host key of {instance} is not known: {error.what}")
            return ()

    return read


def connection(state: State, node: str | None, host_keys: HostKeys) -> Connection:
    """Return the connection to a node (by default the main one), with its files written.

    Raises NotFoundError where there is no such node, RoostError where it cannot be reached now.
    """
    instance = reachable(state, node)
    gate = way_through(instance, state)
    way = [instance, *([gate] if gate is not None else [])]
    place = places(state.name)
    place.make()
    for one in way:
        learn(place, state.name, one, host_keys)
    hosts = write_config(state)
    return Connection(
        name=state.name,
        node=instance,
        config=place.config,
        alias=alias(state.name, instance.name),
        host=hosts[instance.name],
        main=main_machine(state),
        gate=gate,
        unproven=tuple(
            one.name
            for one in way
            if not place.pinned(one.id).is_file() and not place.accepted(one.id).is_file()
        ),
    )


def chosen(state: State, node: str | None) -> Instance:
    """Return the instance of that name, or the main one. Raises NotFoundError."""
    there = {i.name: i for i in state.instances}
    main = main_machine(state)
    found = there.get(node) if node is not None else main
    if found is None and not there:
        raise RoostError(
            f"{state.name} has no machine now", next=command_line("roost", "up", state.name)
        )
    if found is None:
        wanted = node or "head"
        raise NotFoundError(f"{state.name} has no instance {wanted}. There are: {_some(there)}")
    return found


def _some(names: Collection[str], most: int = 8) -> str:
    """Return the first few names, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more


def reachable(state: State, node: str | None) -> Instance:
    """Return the instance, if it is up. Raises NotFoundError, or RoostError with the next step."""
    found = chosen(state, node)
    _check_way(found, state)
    if found.state == "running" and found.address is not None:
        return found
    command = "start" if found.state in ("stopping", "stopped") else "up"
    doing = "running, without an address yet" if found.state == "running" else found.state
    raise RoostError(
        f"{found.name} of {state.name} cannot be reached: it is {doing}",
        next=command_line("roost", command, state.name),
    )


def _check_way(instance: Instance, state: State) -> None:
    """Raise RoostError where the machine that leads to this one is not there, or not up."""
    gate = way_through(instance, state)
    if gate is not None and (gate.state != "running" or gate.address is None):
        what, command = f"its {gate.name} is {gate.state}", "start"
    elif gate is None and instance.role != GATEWAY and read_record(state.record).makes_gateway:
        what, command = "its gateway is not there", "up"
    else:
        return
    raise RoostError(
        f"{state.name} cannot be reached: {what}",
        exists=state.conditions,
        next=command_line("roost", command, state.name),
    )


def learn(place: Places, name: str, instance: Instance, host_keys: HostKeys) -> None:
    """Pin the host keys of an instance, once; what is pinned is never replaced."""
    if place.pinned(instance.id).is_file():
        return
    keys = host_keys(name, instance.name)
    if keys:
        place.pin(instance.id, key_alias(name, instance), keys)


def write_config(state: State) -> dict[str, Host]:
    """Write the configuration of all machines that have an address; return them by their names."""
    place = places(state.name)
    place.make()
    main = main_machine(state)
    found = {i.name: _host(state, i, main, place) for i in state.instances if i.address}
    text = config(
        f"{state.name}: {_kind(state)}", tuple(found.values()), identities(), place.config
    )
    write_private(place.config, text)
    return found


def _host(state: State, instance: Instance, main: Instance | None, place: Places) -> Host:
    user = user_of(state.record, instance.role)
    name, node = state.name, instance.name
    known = place.pinned(instance.id).is_file()
    aliases = (alias(name, node),)
    gate = way_through(instance, state)
    # Behind a gateway the way is within the cloud's own network, also to who has two addresses.
    inside = gate is not None and gate.role == GATEWAY
    address = (instance.private if inside else None) or instance.address or ""
    return Host(
        aliases=(alias(name), *aliases) if instance == main else aliases,
        address=address,
        user=user,
        key_alias=key_alias(name, instance),
        hosts_file=place.pinned(instance.id) if known else place.accepted(instance.id),
        known=known,
        control=socket(name, instance.id, address, user),
        jump=alias(name, gate.name) if gate is not None else None,
        through=_way_to(state, instance),
    )


def _way_to(state: State, instance: Instance) -> tuple[str, ...]:
    """Return the command that leads to a machine without a public address; none to the others."""
    recorded = read_record(state.record)
    if recorded.reach == "jump" and recorded.jump:
        return by_gateway(recorded.jump, socket(state.name, "gateway", recorded.jump))
    if recorded.reach == "ssm" and recorded.aws is not None:
        region, profile = (str(recorded.aws.get(key) or "") for key in ("region", "profile"))
        return by_session_manager(instance.id, region, profile)
    return ()


def _kind(state: State) -> str:
    kind = read_record(state.record).kind
    return "machines" if kind == UNKNOWN else kind
