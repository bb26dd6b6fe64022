"""The verbs: one step is one batch, so that a cloud can do it in one call whatever its size."""

from __future__ import annotations

from dataclasses import dataclass

from roost.plan.resources import Address, Kind, Resource


@dataclass(frozen=True, slots=True)
class Record:
    """Keep the spec (JSON) with the cloud; always the first step."""

    record: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the kept spec; always the last step of ``down``."""


@dataclass(frozen=True, slots=True)
class Create:
    """Make these, all of one kind (and, for instances, of one role and shape)."""

    kind: Kind
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Start stopped instances, or set up again those that failed."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop instances; their disks and volumes stay."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retire:
    """Let workers hand over their data and tasks before they go."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attach:
    """Connect volumes to their holders: ``(volume, instance)`` pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Associate:
    """Connect addresses to their holders."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete these, all of one kind."""

    kind: Kind
    names: tuple[str, ...]


Step = Record | Forget | Create | Start | Stop | Retire | Attach | Associate | Delete


def subjects(step: Step) -> tuple[str, ...]:
    """The names a step is about, for messages and for counting tries."""
    match step:
        case Create(_, resources):
            return tuple(resource.name for resource in resources)
        case Start(names) | Stop(names) | Retire(names) | Delete(_, names):
            return names
        case Attach(pairs):
            return tuple(volume for volume, _ in pairs)
        case Associate(addresses):
            return tuple(address.name for address in addresses)
        case Record() | Forget():
            return ()


def describe(step: Step) -> str:
    """One line for people: ``"create 3 instances: worker-1, worker-2, worker-3"``."""
    match step:
        case Record():
            verb = "keep the spec with the cloud"
        case Forget():
            verb = "forget the spec"
        case Create(kind, resources):
            verb = f"create {_count(len(resources), kind)}"
        case Delete(kind, gone):
            verb = f"delete {_count(len(gone), kind)}"
        case Attach(pairs):
            verb = f"attach {_count(len(pairs), 'volume')}"
        case Associate(addresses):
            verb = f"point {_count(len(addresses), 'address')} at the instance"
        case Start(names) | Stop(names) | Retire(names):
            verb = f"{type(step).__name__.lower()} {_count(len(names), 'instance')}"
    about = _shorten(subjects(step))
    return f"{verb}: {about}" if about else verb


def _count(number: int, kind: str) -> str:
    word = kind.replace("-", " ")
    plural = {"address": "addresses"}.get(word, f"{word}s")
    return f"1 {word}" if number == 1 else f"{number} {plural}"


def _shorten(names: tuple[str, ...], most: int = 4) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} ... {names[-1]}"
