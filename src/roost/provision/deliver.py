"""The hand-over to machines of what they install, and their progress until they are ready.

One connection a machine, all at once; each goes on alone once it has its part, whatever becomes of
this computer. Doing it again is harmless: what is there is not sent, what is done is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from roost.errors import RoostError
from roost.model.limits import Limits
from roost.model.resources import GATEWAY, Instance
from roost.provision.archive import Packed
from roost.provision.bundle import Part
from roost.provision.machines import Lost, Machines, News, Peeked
from roost.ssh.config import gateway_of, main_machine
from roost.ssh.connection import learn, write_config
from roost.ssh.paths import places

MOST_AT_ONCE = 24
TRIES = 3
First = Future[tuple[Mapping[str, str], Mapping[str, str]]]
"""What the main machine has for the others: uploads by key, and secrets by name."""

Parts = Callable[[Instance, str, Mapping[str, str], Mapping[str, str]], Part]
"""``parts(instance, right, uploads, shared)``: from the right on itself that it holds (an id), the
uploads (key -> checksum) that the main machine has, and the secrets that that one made, the part of
a machine."""


def hand_over(
    machines: Machines, instances: tuple[Instance, ...], parts: Parts, boots: Mapping[str, str]
) -> dict[str, News]:
    """Bring each its part, and follow all to the end; return the last news of each.

    ``boots`` has the boots that are to be over, by node. A machine that cannot be reached, or
    that fails, keeps no other from going on.
    """
    main = main_machine(machines.state)
    first: First = Future()
    if main is not None and all(i.name != main.name for i in instances):
        first.set_exception(RoostError(f"{main.name} is not asked now"))

    def one(instance: Instance) -> News:
        try:
            return _one(machines, instance, parts, boots.get(instance.name, ""), first, main)
        except RoostError as error:
            if main is not None and instance.name == main.name and not first.done():
                first.set_exception(error)
            news = News(instance.name, error.what, "failed")
            machines.watch(news)
            return news

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        # The main machine is first in the queue: the others wait for what it makes.
        ordered = sorted(instances, key=lambda i: main is None or i.name != main.name)
        futures = {i.name: pool.submit(one, i) for i in ordered}
        try:
            wait(futures.values())
        except BaseException:
            machines.end()
            if not first.done():
                first.set_exception(RoostError("interrupted"))
            pool.shutdown(cancel_futures=True)
            raise
        return {name: future.result() for name, future in futures.items()}


def glance(machines: Machines) -> dict[str, tuple[str, Limits | None]]:
    """Return the set-up progress of each machine that was reached from here before, and what
    stops it; all at once.
    """
    place = places(machines.state.name)
    if (gate := gateway_of(machines.state)) is not None:
        learn(place, machines.state.name, gate, machines.host_keys)
    known = [
        one
        for one in machines.state.instances
        if one.state == "running"
        and one.address
        and (place.pinned(one.id).is_file() or place.accepted(one.id).is_file())
    ]
    if not known:
        return {}
    write_config(machines.state)
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return dict(zip((one.name for one in known), pool.map(machines.look, known), strict=True))


def _one(
    machines: Machines,
    instance: Instance,
    parts: Parts,
    not_boot: str,
    first: First,
    main: Instance | None,
) -> News:
    leads = main is not None and instance.name == main.name
    for left in reversed(range(TRIES)):
        peeked = machines.peek(instance, not_boot)
        alone = leads or instance.role == GATEWAY
        part = _part(peeked, instance, parts, first, None if alone else main)
        try:
            made = machines.send(instance, part, peeked.there)
            break
        except Lost as lost:
            if not left:
                raise RoostError(f"the connection was lost: {lost}") from None
    if leads:
        sent = {u.key: u.sha256 for step in part.handover.steps for u in step.uploads}
        first.set_result(({**peeked.uploads, **sent}, made))
    return machines.follow(instance, part.handover.digest)


def _part(
    peeked: Peeked, instance: Instance, parts: Parts, first: First, main: Instance | None
) -> Part:
    """Return the part of a machine, which waits for ``main`` only where it needs something of it.

    The seats of a class share no secret: one that fails keeps no other from going on.
    """
    if main is None:
        return parts(instance, peeked.right, peeked.uploads, {})
    if instance.role == "seat":
        with suppress(RoostError):  # an upload that only the first seat has
            return parts(instance, peeked.right, peeked.uploads, {})
    return parts(instance, peeked.right, *_of_the_first(first, main))


def _of_the_first(
    first: First, main: Instance | None
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    try:
        return first.result()
    except RoostError as error:
        who = main.name if main else "the head"
        raise RoostError(f"not set up, because it needs {who}: {error.what}") from None


def brought(machines: Machines, sha256: str, into: Path) -> Packed:
    """Fetch an upload that is on the main machine and not on this computer."""
    main = main_machine(machines.state)
    if main is None:
        raise RoostError(f"{machines.state.name} has no machine that has it")
    file = into / sha256
    try:
        with file.open("wb") as opened:
            machines.fetch(main, f"/var/lib/roost/uploads/{sha256}", opened)
    except Lost as lost:
        raise RoostError(f"the connection to {main.name} was lost: {lost}") from None
    return Packed(file, sha256)
