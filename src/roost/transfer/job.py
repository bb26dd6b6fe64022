"""A sync as one conversation: a job goes in, progress is told, an outcome comes out.

It is the same for a sync on this computer as for one on a rented machine. All of it goes through
JSON. A name that is not UTF-8 survives that, as Python writes its bytes as surrogates and JSON
writes these in ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any, NamedTuple

from roost.transfer.options import Options
from roost.transfer.s3.config import Keys, Where

ANY = "*"
"""The value of ``Job.agreed`` that agrees to all deletions."""
Names = tuple[tuple[str, str], ...]
"""Names, and a reason for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One copy between two sides: a folder of the computer that does it, and ``s3://...``.

    On a machine, a folder that does not begin with a slash is below the home folder of its user.
    ``where`` is S3 as it is known here; ``run_there`` decides whose credentials are used.
    ``agreed``: the ``Outcome.deletions`` that the user agreed to. Where ``options.delete`` would
    delete anything else, the outcome lists it and nothing is done.

    ``tree``: all of the folder and not only its files. Up: after the copy every file is proven
    (as with ``verify``), and an object with every entry's kind, mode, owner, times and links is
    put beside the data; with ``options.delete`` what only S3 has goes after that, and only if all
    is proven. Down: exactly what the tree at ``tree_at`` (``s3://...``; "": the newest) names is
    fetched, compared and given back; ``tree_sha256`` is what that object must have, if known.
    ``once``: only root can enter the folder before all is there, and then it is left as it is.
    """

    source: str
    target: str
    where: Where
    options: Options = field(default_factory=Options)
    verify: bool = False
    move: bool = False
    watch: bool = False
    janitors: tuple[str, ...] = ()
    dry_run: bool = False
    agreed: str | None = None
    tree: bool = False
    tree_at: str = ""
    tree_sha256: str = ""
    once: bool = False

    @property
    def up(self) -> bool:
        """Tell if it goes to S3."""
        return self.target.startswith("s3://")

    @property
    def folder(self) -> str:
        """The side that is a folder."""
        return self.source if self.up else self.target

    @property
    def id(self) -> str:
        """The id of a pair of sides: there is one sync between them at a time."""
        sides = (self.source, self.target, self.where.endpoint or "")
        return sha256("\0".join(sides).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def same(self) -> str:
        """A digest of what the job does, but not of who pays or what the user agreed to."""
        content = self.to_json() | {"where": None, "dry_run": None, "agreed": None}
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return its JSON, with the credentials if it has any: never print or log it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """Return the job that ``to_json`` wrote."""
        where, options = dict(data["where"]), dict(data["options"])
        keys = where.pop("keys")
        more = {
            "where": Where(**where, keys=Keys(**keys) if keys else None),
            "options": Options(**_tuples(options)),
        }
        return cls(**{**_tuples(data), **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A job and the computer that does it: ``node`` in ``region``, or "" for this computer.

    ``source`` and ``target`` are as people type them: NAME/NODE:PATH for a folder of a machine.
    """

    job: Job
    source: str
    target: str
    node: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The proof of a job; ``whole``: of all that is in the folder.

    ``manifest`` and ``tree`` are places in S3 (``s3://...``), with their SHA-256. ``read_back``:
    how many had to be read, as S3 has no checksum of them.
    """

    files: int
    bytes: int
    whole: bool
    manifest: str = ""
    manifest_sha256: str = ""
    tree: str = ""
    tree_sha256: str = ""
    read_back: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The plan of a job, or its result.

    ``done`` False: it only looked (``dry_run``), or ``to_delete`` must be agreed to first: the
    same job with ``agreed = deletions`` continues. ``first`` are the first names that are copied,
    and why; ``failed`` all that is not in order; ``notes`` what else the user should know.
    ``region`` is the bucket's, ``requests`` the number of requests that S3 charges for.
    ``to_restore`` are objects of the archive that would be asked back, which costs money and is
    agreed to in the same way. ``unproved``: files that arrived and that S3 has no checksum of.
    """

    source: str = ""
    target: str = ""
    done: bool = False
    to_copy: int = 0
    to_copy_bytes: int = 0
    requests: int = 0
    same: int = 0
    first: Names = ()
    to_delete: tuple[str, ...] = ()
    deletions: str = ""
    to_restore: Names = ()
    to_restore_bytes: int = 0
    skipped: Names = ()
    copied: int = 0
    bytes: int = 0
    deleted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: Names = ()
    notes: tuple[str, ...] = ()
    region: str = ""
    unproved: int = 0
    proof: Proven | None = None

    @property
    def asks(self) -> bool:
        """Tell if deletions, or asking for objects back, must be agreed to first."""
        return not self.done and bool(self.to_delete or self.to_restore)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Return the outcome of its JSON."""
        pairs = {
            key: tuple(map(tuple, data[key]))
            for key in ("first", "to_restore", "skipped", "failed")
        }
        proof = Proven(**data["proof"]) if data["proof"] else None
        return cls(**{**_tuples(data), **pairs, "proof": proof})


class Line(NamedTuple):
    """A line that a job wrote; ``routine``: nothing is wrong and nothing unexpected happened."""

    number: int
    text: str
    routine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of a job. ``stage``: looking, comparing, copying, proving, watching.

    ``seconds``: since the copying began. ``planned`` is there once the plan is known. ``lines``
    are the last lines that a watching job wrote.
    """

    stage: str = "looking"
    files: int = 0
    bytes: int = 0
    total_files: int = 0
    total_bytes: int = 0
    seconds: float = 0
    planned: Outcome | None = None
    lines: tuple[Line, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Progress:
        """Return the progress of its JSON."""
        plain = {one.name for one in fields(cls)} - {"planned", "lines"}
        planned = Outcome.from_json(data["planned"]) if data.get("planned") else None
        lines = tuple(Line(*line) for line in data.get("lines", ()))
        return cls(**{key: data[key] for key in plain}, planned=planned, lines=lines)


Tell = Callable[[Progress], None]
Note = Callable[[str], None]


def deletions(names: Iterable[str], restores: Iterable[str] = ()) -> str:
    """Return a digest of these deletions and restores, to agree to just them; "" for none."""
    listed = [*sorted(names), *(f"restore\0{name}" for name in sorted(restores))]
    text = "\0".join(listed).encode("utf-8", "surrogateescape")
    return sha256(text).hexdigest() if listed else ""


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
