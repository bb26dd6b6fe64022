"""A sync on another machine, in words that both machines speak: a job, how far it is, its end.

All of it goes through JSON. A name that is not UTF-8 survives that, as Python writes its bytes as
surrogates and JSON writes these in ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any

from roost.transfer.engine import Planned
from roost.transfer.options import Options
from roost.transfer.s3.client import PART, RANGE
from roost.transfer.s3.config import Keys, Where
from roost.transfer.upload import part_size

ANY = "*"
"""As ``Job.agreed``: whatever it is that would be deleted."""
Names = tuple[tuple[str, str], ...]
"""Names, and what is to be said of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a machine shall copy. One side is a folder of the machine, the other ``s3://...``.

    A folder that does not begin with a slash is below the home folder of the machine's user.
    ``where`` is S3 as it is known here; ``run_there`` decides whose credentials are used.
    ``agreed``: the ``Outcome.deletions`` that somebody said yes to; what would be deleted with
    ``options.delete`` without that is told, and nothing is done.

    ``tree``: all of the folder and not only its files. Up: after the copy every file is proven
    (as with ``verify``), and an object with every entry's kind, mode, owner, times and links is
    put beside the data; with ``options.delete`` what only S3 has goes after that, and only if all
    is proven. Down: exactly what the tree at ``tree_at`` (``s3://...``; "": the newest) names is
    fetched, compared and given back; ``tree_sha256`` is what that object must have, if known.
    ``once``: nobody but root is let in before all is there, and then it is left as it is.
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
        """Whether it goes to S3."""
        return self.target.startswith("s3://")

    @property
    def folder(self) -> str:
        """The side that is the machine's."""
        return self.source if self.up else self.target

    @property
    def id(self) -> str:
        """One for each pair of sides: there is one sync between them at a time."""
        sides = (self.source, self.target, self.where.endpoint or "")
        return sha256("\0".join(sides).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def same(self) -> str:
        """Changes with whatever would be done, but not with who pays, or with a yes."""
        found = self.to_json() | {"where": None, "dry_run": None, "agreed": None}
        return sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """With the credentials, if it has any: for a pipe, and for nobody's eyes."""
        return asdict(self)


def job_of(found: Mapping[str, Any]) -> Job:
    """The job of its JSON."""
    where, options = dict(found["where"]), dict(found["options"])
    keys = where.pop("keys")
    more = {
        "where": Where(**where, keys=Keys(**keys) if keys else None),
        "options": Options(**_tuples(options)),
    }
    return Job(**{**_tuples(found), **more})


def _tuples(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What a job has proven; ``whole``: all that is in the folder.

    ``manifest`` and ``tree`` are places in S3 (``s3://...``), with their SHA-256.
    """

    files: int
    bytes: int
    whole: bool
    manifest: str = ""
    manifest_sha256: str = ""
    tree: str = ""
    tree_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a job will do, or what it did.

    ``done`` False: it only looked (``dry_run``), or ``to_delete`` wants a yes first: the same job
    with ``agreed = deletions`` goes on. ``first`` are the first names that are copied, and why;
    ``failed`` all that is not in order; ``notes`` what else there is to say. ``region`` is the
    bucket's, ``requests`` how many it takes.
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
    skipped: Names = ()
    copied: int = 0
    bytes: int = 0
    deleted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: Names = ()
    notes: tuple[str, ...] = ()
    region: str = ""
    proof: Proven | None = None

    @property
    def asks(self) -> bool:
        """Whether deletions want a yes before anything is done."""
        return not self.done and bool(self.to_delete)


def outcome_of(found: Mapping[str, Any]) -> Outcome:
    """The outcome of its JSON."""
    pairs = {key: tuple(map(tuple, found[key])) for key in ("first", "skipped", "failed")}
    proof = Proven(**found["proof"]) if found["proof"] else None
    return Outcome(**{**_tuples(found), **pairs, "proof": proof})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is. ``stage``: looking, comparing, copying, proving, watching.

    ``seconds``: since the copying began. ``planned`` is there once it is known what will be done.
    ``said`` are the last lines that a watching job said, each with its number.
    """

    stage: str = "looking"
    files: int = 0
    bytes: int = 0
    total_files: int = 0
    total_bytes: int = 0
    seconds: float = 0
    planned: Outcome | None = None
    said: tuple[tuple[int, str], ...] = ()


def progress_of(found: Mapping[str, Any]) -> Progress:
    """The progress of its JSON."""
    known = {one.name for one in fields(Progress)} - {"planned", "said"}
    planned = outcome_of(found["planned"]) if found.get("planned") else None
    said = tuple((int(number), str(text)) for number, text in found.get("said", ()))
    return Progress(**{key: found[key] for key in known}, planned=planned, said=said)


def deletions(names: Iterable[str]) -> str:
    """What is agreed to by who agrees to these deletions; "" for none."""
    listed = sorted(names)
    text = "\0".join(listed).encode("utf-8", "surrogateescape")
    return sha256(text).hexdigest() if listed else ""


def requests(planned: Planned, *, up: bool) -> int:
    """How many requests S3 charges for what will be copied."""
    return sum(_requests(copy.entry.size, up=up) for copy in planned.copies)


def _requests(size: int, *, up: bool) -> int:
    if up:
        return 1 if size <= PART else -(-size // part_size(size)) + 2
    return 1 if size <= RANGE else -(-size // RANGE) + 1
