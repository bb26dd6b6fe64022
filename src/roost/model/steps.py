"""The steps of a plan: each is one batch, so that a cloud can do it in one call of any size."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from roost.model.resources import Address, Backup, Kind, Resource, Rule, S3Copy, Volume

NOT_THERE = "not there yet"
"""The reason to create what a file wants and a cloud has not."""


@dataclass(frozen=True, slots=True)
class Reasoned:
    """A step, and the reason for it, for people: two steps that do the same are equal."""

    reason: str = field(default="", compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Record(Reasoned):
    """Save the file's settings (the spec as JSON) in the cloud; always the first step."""

    record: str


@dataclass(frozen=True, slots=True)
class Forget(Reasoned):
    """Remove the settings from the cloud; always the last step of ``down``."""


@dataclass(frozen=True, slots=True)
class Create(Reasoned):
    """Create these resources, all of one kind (and, for instances, of one role and shape)."""

    kind: Kind
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Start(Reasoned):
    """Start stopped instances, or set up again those that failed."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop(Reasoned):
    """Stop instances; their disks and volumes stay."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retire(Reasoned):
    """Have workers hand over their data and tasks before they are deleted."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attach(Reasoned):
    """Connect volumes to their holders: ``(volume, instance)`` pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Associate(Reasoned):
    """Connect addresses to their holders."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class _Rules(Reasoned):
    """Rules of a security group that is there."""

    group: str
    rules: tuple[Rule, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Who may reach what, for people."""
        return tuple(dict.fromkeys(rule.text for rule in self.rules))


@dataclass(frozen=True, slots=True)
class OpenRules(_Rules):
    """Let in whom the file names by now; ``alone``: and not its own machines."""

    alone: bool = False


@dataclass(frozen=True, slots=True)
class CloseRules(_Rules):
    """Close what rules had opened."""


@dataclass(frozen=True, slots=True)
class Delete(Reasoned):
    """Delete these, all of one kind."""

    kind: Kind
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reboot(Reasoned):
    """Restart the system of running instances; disks, addresses and price stay."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Swap(Reasoned):
    """Let two machines take each other's name, with their volumes; the first one is set aside."""

    names: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ChangeType(Reasoned):
    """Change the type of stopped instances: ``(instance, type)`` pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Modify(Reasoned):
    """Change the size, type, IOPS and throughput of volumes in place."""

    volumes: tuple[Volume, ...]


@dataclass(frozen=True, slots=True)
class Adopt(Reasoned):
    """Adopt volumes that existed before roost; their ``id`` says which."""

    volumes: tuple[Volume, ...]


@dataclass(frozen=True, slots=True)
class Disown(Reasoned):
    """Release adopted volumes: remove roost's tags, and change nothing else."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateSnapshot(Reasoned):
    """Take snapshots of volumes; ``sealed``: nothing can write to them now."""

    names: tuple[str, ...]
    sealed: bool


@dataclass(frozen=True, slots=True)
class MarkStale(Reasoned):
    """Mark snapshots (ids) as no longer current: their volumes can be written to from now on."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordCopy(Reasoned):
    """Record in the cloud which copies of volumes are in S3, and what is known of them."""

    copies: tuple[S3Copy, ...]


@dataclass(frozen=True, slots=True)
class ForgetCopy(Reasoned):
    """Forget the S3 copies of these volumes; their objects stay in the bucket."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordBackups(Reasoned):
    """Record the copies that the name comes back from: all of them, in place of those recorded."""

    backups: tuple[Backup, ...]


@dataclass(frozen=True, slots=True)
class CreateImage(Reasoned):
    """Create images of the boot disks of stopped instances."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Archive(Reasoned):
    """Move completed snapshots (ids) to the archive tier: cheaper, and slow to restore."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restore(Reasoned):
    """Restore archived snapshots (ids); takes up to 72 hours on EC2."""

    names: tuple[str, ...]


Step = (
    Record
    | Forget
    | Create
    | Start
    | Stop
    | Reboot
    | Retire
    | ChangeType
    | Modify
    | Attach
    | Adopt
    | Disown
    | Swap
    | Associate
    | OpenRules
    | CloseRules
    | CreateSnapshot
    | MarkStale
    | RecordCopy
    | ForgetCopy
    | RecordBackups
    | CreateImage
    | Archive
    | Restore
    | Delete
)
"""Every kind of step."""


def subjects(step: Step) -> tuple[str, ...]:
    """Return the names that a step is about."""
    match step:
        case Create(_, resources):
            return tuple(resource.name for resource in resources)
        case Modify(things) | Adopt(things) | RecordCopy(things) | RecordBackups(things):
            return tuple(thing.name for thing in things)
        case Attach(pairs) | ChangeType(pairs):
            return tuple(first for first, _ in pairs)
        case Associate(addresses):
            return tuple(address.name for address in addresses)
        case Record() | Forget():
            return ()
    return step.names


def verb(step: Step) -> str:
    """Return the step's name for programs: ``"create"``, ``"change_type"``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(step).__name__).lower()


WORDS: dict[type, tuple[str, Kind, str]] = {
    Adopt: ("adopt", "volume", ""),
    Archive: ("archive", "snapshot", ""),
    Associate: ("associate", "address", " with the instance"),
    Attach: ("attach", "volume", ""),
    Disown: ("release", "volume", "; it stays as it is"),
    Modify: ("change", "volume", ""),
    Reboot: ("restart", "instance", ""),
    Restore: ("restore", "snapshot", " from the archive"),
    Retire: ("retire", "instance", ""),
    ChangeType: ("change the type of", "instance", ""),
    CreateImage: ("save the disk of", "instance", " as an image"),
    CreateSnapshot: ("take a snapshot of", "volume", ""),
    Start: ("start", "instance", ""),
    Stop: ("stop", "instance", ""),
    Swap: ("exchange", "instance", ""),
    RecordCopy: ("record the S3 copy of", "volume", ""),
    ForgetCopy: ("forget the S3 copy of", "volume", "; its objects stay"),
    MarkStale: ("mark", "snapshot", " as older than the volume"),
}
"""The words for people: verb, noun, and the text after the noun."""


def describe(step: Step) -> str:
    """Return one line for people: ``"create 3 instances: worker-1, worker-2, worker-3"``."""
    about = subjects(step)
    match step:
        case Record():
            return "save the file's settings in the cloud"
        case OpenRules():
            return f"open {shorten(about)}"
        case CloseRules():
            return f"close {shorten(about)}"
        case Forget():
            return "remove the file's settings from the cloud"
        case RecordBackups(backups):
            if not backups:
                return "record that no copies are left"
            text = f"record {'1 copy' if len(backups) == 1 else f'{len(backups)} copies'}"
        case Create(kind, _) | Delete(kind, _):
            text = f"{verb(step)} {_count(len(about), kind)}"
        case _:
            first, noun, rest = WORDS[type(step)]
            text = f"{first} {_count(len(about), noun)}{rest}"
    return f"{text}: {shorten(about)}"


def explain(step: Step, *, first: bool = False) -> str:
    """Return what a step does, and why.

    ``first``: nothing is there yet, so this is no reason worth a word.
    """
    if first and step.reason == NOT_THERE:
        return describe(step)
    return f"{describe(step)}: {step.reason}"


def _count(number: int, kind: str) -> str:
    word = kind.replace("-", " ")
    plural = {"address": "addresses"}.get(word, f"{word}s")
    return f"1 {word}" if number == 1 else f"{number} {plural}"


def shorten(names: tuple[str, ...], most: int = 4) -> str:
    """Return some of many names: ``"worker-1, worker-2, worker-3 ... worker-1000"``."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} ... {names[-1]}"
