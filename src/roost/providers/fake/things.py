"""What a cloud in memory has of each name, what can be seen of it, and what it is becoming."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from roost.errors import CloudError
from roost.model.resources import Address, Instance, InstanceState, Resource, Volume

R = TypeVar("R", Instance, Volume)
Key = tuple[str, str]
"""Kind and name."""


@dataclass(slots=True)
class Thing:
    """A resource and what is still to happen to it."""

    resource: Resource
    blind: int
    left: int = 0
    then: InstanceState | None = None
    gone: bool = False
    seen: bool = False


@dataclass(slots=True)
class Things:
    """Everything that was made, by name. ``deleted`` is what was there and is no longer."""

    deleted: set[tuple[str, Key]] = field(default_factory=set)
    _of: dict[str, dict[Key, Thing]] = field(default_factory=dict)

    def of(self, name: str) -> dict[Key, Thing]:
        """All things of a name, seen or not."""
        return self._of.setdefault(name, {})

    def names(self) -> set[str]:
        """Every name that has anything."""
        return {name for name, things in self._of.items() if things}

    def find(self, name: str, kind: str, one: str) -> Thing:
        """One thing. Raises CloudError where there is none."""
        try:
            return self.of(name)[kind, one]
        except KeyError:
            raise CloudError(f"NotFound: {kind} {one} of {name}") from None

    def all(self, name: str, kind: type[R]) -> list[R]:
        """Return the instances or the volumes of a name."""
        return [t.resource for t in self.of(name).values() if isinstance(t.resource, kind)]

    def look(self, name: str) -> list[Resource]:
        """Return what can be seen of a name now; each look brings new things nearer."""
        seen: list[Resource] = []
        for thing in self.of(name).values():
            if thing.blind > 0:
                thing.blind -= 1
            else:
                thing.seen = True
                seen.append(thing.resource)
        return seen

    def attach(self, name: str, volume: str, instance: str, now: float) -> None:
        """Attach a free volume. Raises CloudError."""
        thing = self.find(name, "volume", volume)
        holder = self.find(name, "instance", instance)
        if not isinstance(thing.resource, Volume):
            raise CloudError(f"NotFound: {volume}")
        if (thing.resource.state, thing.resource.holder) == ("attached", instance):
            return
        if thing.resource.state != "available":
            raise CloudError(f"VolumeInUse: {volume}")
        if holder.gone:
            raise CloudError(f"IncorrectState: {instance}")
        thing.resource = replace(thing.resource, state="attached", holder=instance, attached_at=now)

    def swap(self, name: str, first: str, second: str) -> None:
        """Exchange two instances' names, and those of their volumes; the first is set aside."""
        things, other = self.of(name), {first: second, second: first}
        moved: dict[Key, Thing] = {}
        for (kind, one), thing in list(things.items()):
            held = thing.resource
            if isinstance(held, Instance) and one in other:
                aside = held.aside or one == first
                thing.resource = replace(held, name=other[one], aside=aside)
            elif isinstance(held, Volume) and held.holder in other:
                holder = other[held.holder]
                renamed = f"{holder}{held.name.removeprefix(held.holder)}"
                thing.resource = replace(held, name=renamed, holder=holder)
            else:
                continue
            moved[kind, thing.resource.name] = things.pop((kind, one))
        things.update(moved)

    def associate(self, name: str, address: Address) -> None:
        """Connect an address to its holder. Raises CloudError."""
        thing = self.find(name, "address", address.name)
        self.find(name, "instance", address.holder)
        if isinstance(thing.resource, Address):
            thing.resource = replace(thing.resource, attached=True)

    def wait(self, name: str, broken: frozenset[str]) -> None:
        """Let one unit of time pass; what is in ``broken`` fails instead of running."""
        for key, thing in list(self.of(name).items()):
            if thing.left > 0:
                thing.left -= 1
                if thing.left == 0:
                    self._settle(name, key, broken)

    def _settle(self, name: str, key: Key, broken: frozenset[str]) -> None:
        thing = self.of(name)[key]
        if thing.gone:
            self.drop(name, *key)
        elif isinstance(thing.resource, Instance) and thing.then is not None:
            fails = thing.then == "running" and thing.resource.name in broken
            thing.resource = replace(thing.resource, state="failed" if fails else thing.then)
        elif isinstance(thing.resource, Volume) and thing.resource.state == "creating":
            thing.resource = replace(thing.resource, state="available")

    def drop(self, name: str, kind: str, one: str) -> None:
        """Remove a thing for good."""
        del self.of(name)[kind, one]
        self.deleted.add((name, (kind, one)))

    def is_gone(self, name: str, kind: str, one: str) -> bool:
        """Whether it was there and is deleted, or is about to be."""
        thing = self.of(name).get((kind, one))
        return thing.gone if thing is not None else (name, (kind, one)) in self.deleted
