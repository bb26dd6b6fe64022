"""The history of one name in the properties of its record, so that it can be priced.

It is written by one call in front of whatever ends something; a process killed between the two does
no harm (`roost.cost.ledger` says why). A machine that is off is another thing there than one that
runs, as sites charge for it: ``m1.small:stopped``, ``m1.small:shelved``. The disk of a machine that
boots from a volume has no marks, and is found by its machine (``boot_disks``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from roost.cost import ledger
from roost.cost.ledger import Copy, Disk, Ledger, Machine, Seen, Thing
from roost.cost.spent import There
from roost.errors import UsageError
from roost.model.resources import Kind, State
from roost.model.steps import ChangeType, Delete, Start, Step, Stop
from roost.providers.openstack import copies, marks, parse, record
from roost.providers.openstack.failures import CallError

if TYPE_CHECKING:
    from roost.providers.openstack.client import Site
    from roost.providers.openstack.memory import Memory

KEY = "roost_spent_"
"""Begins the properties that hold the history."""
MOST = 8
"""Properties that it takes; each as long as any property."""
SHORTEST = 1500
"""Characters that it takes where a security group keeps the record: that has room for few."""
IMAGE = "image"
"""The tier of a copy: an image, not a snapshot beside its volume."""

All = Mapping[Any, Iterable[Mapping[str, Any]]]
"""What a site describes of a name: servers, volumes and images by roost's kinds."""


# --- pure ----------------------------------------------------------------------------------------


def things(described: All) -> dict[str, tuple[Seen, ...]]:
    """Return all that is paid for by time, by the site's ids."""
    found = {str(one["id"]): _machine(one) for one in described.get("instance", ())}
    for one in described.get("volume", ()):
        disk = Disk(str(one.get("volume_type") or "any"), int(one.get("size") or 0))
        found[str(one["id"])] = (Seen(disk, _moment(one.get("created_at"))),)
    for one in described.get("image", ()):
        found[str(one["id"])] = (Seen(Copy(_gb(one), IMAGE), _moment(one.get("created_at"))),)
    return found


def _machine(one: Mapping[str, Any]) -> tuple[Seen, ...]:
    """Return a machine as it runs; one that is off has run, and is off since it changed last."""
    launched = one.get("OS-SRV-USG:launched_at")
    flavor, since = str(parse.flavor_of(one).get("original_name") or "any"), _moment(launched)
    if not launched or parse.state_of(one) != "stopped":
        return (Seen(Machine(flavor), since),) if launched else ()
    changed = _moment(one.get("updated"))
    off = "shelved" if one.get("status") in parse.FREE else "stopped"
    return (
        Seen(Machine(flavor), since, on=False, ended=max(since, changed)),
        Seen(Machine(f"{flavor}:{off}"), changed),
    )


def _gb(image: Mapping[str, Any]) -> int:
    """Return the GB of an image; that of its disk, while Glance does not say."""
    size = image.get("size")
    if isinstance(size, int) and size:
        return ceil(size / copies.GIB)
    least = image.get("min_disk")
    return ceil(copies.number(image.get(marks.SIZE))) or (least if isinstance(least, int) else 0)


def ends(step: Step, ids: Mapping[tuple[Kind, str], str]) -> set[str]:
    """Return the site's ids of all that another thing follows, or nothing, after a step."""
    match step:
        case Delete(kind, names):
            return {ids[kind, one] for one in names if (kind, one) in ids}
        case Start(names) | Stop(names):
            return {ids["instance", one] for one in names if ("instance", one) in ids}
        case ChangeType(pairs):
            return {ids["instance", one] for one, _ in pairs if ("instance", one) in ids}
    return set()


def in_record(held: Mapping[str, str]) -> Ledger:
    """Return the history in the properties of a record."""
    return _named(ledger.read(held[key] for key in sorted(held) if key.startswith(KEY)), unquote)


def as_properties(
    whole: Ledger, seen: Iterable[Seen], before: Mapping[str, str], *, short: bool = False
) -> dict[str, str]:
    """Return the properties to write; those without a use are empty. ``short``: few characters."""
    quoted = [replace(one, thing=_renamed(one.thing, _quoted)) for one in seen]
    most, length = (1, SHORTEST) if short else (MOST, record.PART)
    texts = ledger.write(_named(whole, _quoted), quoted, most, length)
    new = {f"{KEY}{number}": text for number, text in enumerate(texts)}
    return dict.fromkeys((key for key in before if key.startswith(KEY)), "") | new


def _quoted(name: str) -> str:
    """Return a name of a site without the signs by which a ledger is read."""
    return quote(name, safe="")


def _named(whole: Ledger, rename: Callable[[str], str]) -> Ledger:
    return replace(
        whole,
        batches=tuple(replace(b, thing=_renamed(b.thing, rename)) for b in whole.batches),
        sums=tuple(replace(s, thing=_renamed(s.thing, rename)) for s in whole.sums),
    )


def _renamed(thing: Thing, rename: Callable[[str], str]) -> Thing:
    return thing if isinstance(thing, Copy) else replace(thing, type=rename(thing.type))


def _moment(text: Any) -> int:
    return int(marks.seconds(text))


def boot_ids(described: All) -> dict[str, str]:
    """Return the volumes that machines boot from, and go with them: by their ids, the machine's."""
    return {
        str(disk.get("id")): str(one["id"])
        for one in described.get("instance", ())
        if not one.get("image")
        for disk in one.get("os-extended-volumes:volumes_attached") or ()
        if disk.get("delete_on_termination") is True
    }


# --- effects -------------------------------------------------------------------------------------


def note(site: Site, memory: Memory, step: Step, now: int) -> None:
    """Write down what ends with a step, and all that was seen; one call, or none.

    Without a record there is nothing to write to. A site that does not take it is no reason to let
    a machine run on.
    """
    ended = ends(step, memory.ids)
    if not ended or not memory.kept.id:
        return
    if isinstance(step, Delete):
        ended |= {disk for disk, one in boot_ids(memory.described).items() if one in ended}
    found = things(_with_boot_disks(site, memory))
    seen = [one for those in found.values() for one in those]
    going = [one for site_id in ended for one in found.get(site_id, ())]
    before = memory.kept.held
    whole = ledger.closing(in_record(before), seen, going, now)
    new = as_properties(whole, seen, before, short=memory.kept.in_group)
    if new.items() <= before.items():
        return
    try:
        memory.kept = record.keep(site, memory.kept, new)
    except (CallError, UsageError) as error:
        if isinstance(error, CallError) and error.kind in ("busy", "credentials"):
            raise
        memory.note(f"what it has cost so far could not be noted: {error}")


def _with_boot_disks(site: Site, memory: Memory) -> All:
    """Return what was seen last, with the disks that machines boot from; one call more, or none."""
    there, known = boot_ids(memory.described), {str(one["id"]) for one in memory.boot_disks}
    if not there.keys() <= known:
        try:
            every = site.every("block-storage", "/volumes/detail", "volumes", [("limit", "1000")])
        except CallError as error:
            if error.kind in ("busy", "credentials"):
                raise
            every = []
            memory.note(f"what boot disks cost could not be looked up: {error}")
        memory.boot_disks = [one for one in every if one.get("id") in there]
    mine = [one for one in memory.boot_disks if one["id"] in there]
    return {**memory.described, "volume": [*memory.described.get("volume", ()), *mine]}


def history(site: Site, memory: Memory, state: State, now: int) -> tuple[Ledger, There]:
    """Return the ledger and what exists now of a name that was looked at just now."""
    seen = [one for those in things(_with_boot_disks(site, memory)).values() for one in those]
    began = memory.kept.created
    return in_record(memory.kept.held), There(
        seen=tuple(seen),
        began=int(began.timestamp()) if began else now,
        now=now,
        fixed=(None,) * len(state.addresses),
        public=False,
    )
