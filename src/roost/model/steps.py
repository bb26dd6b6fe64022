"""The verbs: one step is one batch, so that a cloud can do it in one call whatever its size."""

from __future__ import annotations

from dataclasses import dataclass

from roost.model.resources import Address, Kind, Resource, Stored, Volume


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


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart the system of running instances; disks, addresses and price stay."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retype:
    """Make stopped instances another type of machine: ``(instance, type)`` pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Modify:
    """Change volumes where they are: size, type, IOPS, throughput as these say."""

    volumes: tuple[Volume, ...]


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take in volumes that were there before roost; their ``id`` says which."""

    volumes: tuple[Volume, ...]


@dataclass(frozen=True, slots=True)
class Disown:
    """Leave adopted volumes as they are, and take roost's tags off them."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snap:
    """Take snapshots of volumes; ``sealed`` where nothing can write to them now."""

    names: tuple[str, ...]
    sealed: bool


@dataclass(frozen=True, slots=True)
class Unseal:
    """Say of snapshots (ids) that their volumes may be written to from now on."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """Keep with the cloud which copies of volumes are in S3, and what is known of them."""

    copies: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class Unstore:
    """Forget the copies of these volumes in S3; what is there stays there."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """Make images of the disks that stopped instances boot from."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """Move completed snapshots (ids) to the archive tier: cheaper, and slow to bring back."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restore:
    """Bring archived snapshots (ids) back; takes up to 72 hours on EC2."""

    names: tuple[str, ...]


Step = (
    Record
    | Forget
    | Create
    | Start
    | Stop
    | Reboot
    | Retire
    | Retype
    | Modify
    | Attach
    | Adopt
    | Disown
    | Associate
    | Snap
    | Unseal
    | Store
    | Unstore
    | Save
    | Archive
    | Restore
    | Delete
)
"""Every verb."""


def subjects(step: Step) -> tuple[str, ...]:
    """The names a step is about, for messages and for counting tries."""
    match step:
        case Create(_, resources):
            return tuple(resource.name for resource in resources)
        case Modify(things) | Adopt(things) | Store(things):
            return tuple(thing.name for thing in things)
        case Attach(pairs) | Retype(pairs):
            return tuple(first for first, _ in pairs)
        case Associate(addresses):
            return tuple(address.name for address in addresses)
        case Record() | Forget():
            return ()
    return step.names


WORDS: dict[type, tuple[str, Kind, str]] = {
    Adopt: ("take in", "volume", ""),
    Archive: ("archive", "snapshot", ""),
    Associate: ("point", "address", " at the instance"),
    Attach: ("attach", "volume", ""),
    Disown: ("let go of", "volume", ""),
    Modify: ("change", "volume", ""),
    Reboot: ("restart", "instance", ""),
    Restore: ("bring back", "snapshot", " from the archive"),
    Retire: ("retire", "instance", ""),
    Retype: ("change the type of", "instance", ""),
    Save: ("save the disk of", "instance", " as an image"),
    Snap: ("take a snapshot of", "volume", ""),
    Start: ("start", "instance", ""),
    Stop: ("stop", "instance", ""),
    Store: ("note the copy in S3 of", "volume", ""),
    Unstore: ("forget the copy in S3 of", "volume", "; its objects stay"),
    Unseal: ("mark", "snapshot", " as older than the volume"),
}
"""What people read of a step: verb, noun, and what follows the noun."""


def describe(step: Step) -> str:
    """One line for people: ``"create 3 instances: worker-1, worker-2, worker-3"``."""
    about = subjects(step)
    match step:
        case Record():
            return "keep the spec with the cloud"
        case Forget():
            return "forget the spec"
        case Create(kind, _) | Delete(kind, _):
            verb = f"{type(step).__name__.lower()} {_count(len(about), kind)}"
        case _:
            first, noun, rest = WORDS[type(step)]
            verb = f"{first} {_count(len(about), noun)}{rest}"
    return f"{verb}: {shorten(about)}"


def _count(number: int, kind: str) -> str:
    word = kind.replace("-", " ")
    plural = {"address": "addresses"}.get(word, f"{word}s")
    return f"1 {word}" if number == 1 else f"{number} {plural}"


def shorten(names: tuple[str, ...], most: int = 4) -> str:
    """``"worker-1, worker-2, worker-3 ... worker-1000"``."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} ... {names[-1]}"
