"""Copy files as they are finished, from an instrument's folder to S3, until stopped."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from roost.errors import CredentialsError, UsageError
from roost.transfer import deletion, openness
from roost.transfer.deletion_rules import no_result
from roost.transfer.engine import Done, Sync
from roost.transfer.listing import Entry
from roost.transfer.openness import QUIET
from roost.transfer.plan import Included
from roost.transfer.renewal import Renewal
from roost.transfer.verify import NOT_STORED, Proven, verify

RELISTED = 60.0
"""Seconds after which S3 is listed again where something failed."""


@dataclass(frozen=True, slots=True)
class Janitor:
    """A rule that deletes ``waste`` once ``wanted`` of the same ``*`` is proven in S3.

    ``movies/*.tiff`` and ``aligned/*.mrc``: a movie goes when its aligned micrograph is safe.
    """

    waste: str
    wanted: str

    def wants(self, name: str) -> str | None:
        """Return the file that must be in S3 before this one goes; None for any other file."""
        before, _, after = self.waste.partition("*")
        found = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", name, re.DOTALL)
        return self.wanted.replace("*", found[1], 1) if found else None


def janitor(text: str) -> Janitor:
    """Return the rule of ``movies/*.tiff=aligned/*.mrc``. Raises UsageError."""
    waste, _, wanted = text.partition("=")
    if waste.count("*") != 1 or wanted.count("*") != 1 or waste == wanted:
        raise UsageError(
            f"--janitor {text}: one * on both sides of =",
            next="--janitor 'movies/*.tiff=mrc/*.mrc'",
        )
    return Janitor(waste, wanted)


def finished(path: Path, entry: Entry, now: float, quiet: float = QUIET) -> bool:
    """Tell if a file may be copied: no program is known to write to it any more.

    A copy too early does no harm, as the file is copied again. To delete it needs more
    (``openness.settled``).
    """
    if now - entry.mtime_ns / 1e9 < quiet or not os.path.lexists(path):
        return False
    return openness.writing(path) is not True


def rounds(
    sync: Sync,
    stop: threading.Event,
    *,
    quiet: float = QUIET,
    pause: float = 2.0,
    renewal: Renewal | None = None,
) -> Iterator[Done]:
    """Copy what is finished, again and again; yield what was done in each round.

    S3 is listed once, and again after failures; what was sent is known. Credentials that have
    expired are asked for again by a ``renewal``. Raises RoostError.
    """
    sync = replace(
        sync, ready=lambda e: finished(sync.run.folder.path(e.name), e, time.time(), quiet)
    )
    looked, failed = -RELISTED, True
    while not stop.is_set():
        now = time.monotonic()
        try:
            if failed and now - looked >= RELISTED:
                planned, looked = sync.plan(), now
            else:
                planned = sync.plan_known()
            done = sync.do(planned)
        except CredentialsError as error:
            if renewal is None:
                raise
            renewal.after(error)
            looked, failed = -RELISTED, True
            continue
        failed = len(done.failed) > len(planned.unsure)
        yield done
        stop.wait(pause)


@dataclass(frozen=True, slots=True)
class Keeper:
    """A watch of a folder. ``said`` has what was said of each name, so that it is said once.

    ``judged`` and ``stayed`` have what the rules and the move kept: it is looked at again when it
    changes.
    """

    sync: Sync
    rules: tuple[Janitor, ...]
    note: Callable[[str], None]
    warn: Callable[[str], None]
    rule: openness.Rule
    move: bool = False
    said: dict[str, str] = field(default_factory=dict)
    judged: dict[str, tuple[Entry, Entry]] = field(default_factory=dict)
    stayed: dict[str, Entry] = field(default_factory=dict)

    def watch(self, quiet: float) -> None:
        """Copy what is finished, and delete what move and rules say, until told to stop.

        Raises RoostError.
        """
        since, run = time.time(), self.sync.run
        renewal = Renewal(run, self.warn)
        for done in rounds(self.sync, run.stop, quiet=quiet, renewal=renewal):
            self._stored([known.name for known in done.copied])
            for name, why in done.failed:
                self._once(name, f"not stored: {name}: {why}")
            if done.copied:
                renewal.succeeded()
            try:
                self._sweep()
                if self.move:
                    self._move(self._undecided(since))
            except CredentialsError as error:
                renewal.after(error)
            since = time.time()

    def _stored(self, names: list[str]) -> None:
        """Note what was stored, and look again at what waited for it."""
        for name in names:
            self.said.pop(name, None)
            self.stayed.pop(name, None)
            self.note(f"stored {name}")
        results = set(names)
        for waste in [k for k, (_, result) in self.judged.items() if result.name in results]:
            del self.judged[waste]

    def _once(self, name: str, text: str) -> None:
        if self.said.get(name) != text:
            self.said[name] = text
            self.warn(text)

    def _sweep(self) -> None:
        gone, kept = sweep(self.sync, self.rules, self.rule, self.judged)
        for name in gone:
            self.warn(f"deleted {name}: its result is proven in S3")
        for name, why in kept:
            if not isinstance(why, openness.Passing):
                self._once(name, f"kept {name}: {why}")

    def _undecided(self, since: float) -> set[str]:
        """Return the files that were old enough at a time, and were not kept before as they are."""
        names, stayed = set[str](), self.stayed
        for entry in self.sync.run.folder.files(lambda name, why: None):
            old = since - entry.mtime_ns / 1e9 >= self.rule.min_age
            if old and self.sync.may_go(entry.name) and stayed.get(entry.name) != entry:
                stayed[entry.name] = entry
                names.add(entry.name)
        return names

    def _move(self, names: set[str]) -> None:
        if not names:
            return
        gone, kept = move_away(self.sync, self.rule, names.__contains__)
        if gone:
            self.note(f"deleted {len(gone)} here that are proven in S3")
        for name, why in kept:
            if isinstance(why, openness.Passing):
                self.stayed.pop(name, None)
            elif why != NOT_STORED:  # its turn comes when it is stored; why it is not is said there
                self._once(name, f"kept {name}: {why}")


def move_away(
    sync: Sync, rule: openness.Rule, among: Included | None = None
) -> tuple[list[str], list[tuple[str, str]]]:
    """Delete the files that are proven in S3 and that nobody writes to.

    Return them, and the others with the reason. Raises RoostError.
    """
    run, kept = sync.run, dict[str, str]()

    def may_go(name: str) -> bool:
        if not sync.may_go(name) or not (among is None or among(name)):
            return False
        why = openness.reason(f"{run.folder.base}{name}", rule, follow=run.folder.follow)
        if why:
            kept[name] = why
        return not why

    proof = verify(run, may_go, manifest=False)
    kept.update(proof.wrong)
    gone = []
    for one in proof.proven:
        why = deletion.remove_stored(run.folder, _stored(one), rule)
        if why:
            kept[one.name] = why
        else:
            gone.append(one.name)
    return gone, sorted(kept.items())


def sweep(
    sync: Sync,
    rules: tuple[Janitor, ...],
    rule: openness.Rule,
    judged: dict[str, tuple[Entry, Entry]] | None = None,
) -> tuple[list[str], list[tuple[str, str]]]:
    """Delete what the rules call waste, where its result is proven.

    Return what went, and what stays though there is a result, with the reason. ``judged`` has the
    pairs that were kept before: they are looked at again when one of both changes.
    """
    run, judged = sync.run, {} if judged is None else judged
    if not rules:
        return [], []
    files = {entry.name: entry for entry in run.folder.files(lambda name, why: None)}
    due: dict[str, Entry] = {}
    kept: dict[str, str] = {}
    for entry in files.values():
        wanted = next((w for w in (one.wants(entry.name) for one in rules) if w), None)
        result = files.get(wanted) if wanted else None
        if result is None or judged.get(entry.name) == (entry, result):
            continue
        why = no_result(entry, result) or openness.reason(
            f"{run.folder.base}{result.name}", rule, follow=run.folder.follow
        )
        if not why:
            due[entry.name] = result
            continue
        kept[entry.name] = why
        if not isinstance(why, openness.Passing):
            judged[entry.name] = (entry, result)
    if not due:
        return [], sorted(kept.items())
    proof = verify(run, {one.name for one in due.values()}.__contains__, manifest=False)
    safe, wrong = {one.name: one for one in proof.proven}, dict(proof.wrong)
    gone: list[str] = []
    for name, result in due.items():
        proven = safe.get(result.name)
        if proven is None:
            kept[name] = f"its result {result.name}: {wrong.get(result.name, 'it is gone')}"
            judged[name] = (files[name], result)
            continue
        movie = deletion.Waste(name, _seen(files[name]), _stored(proven))
        why = deletion.remove_waste(run.folder, movie, rule)
        if why:
            kept[name] = why
        else:
            gone.append(name)
    return gone, sorted(kept.items())


def _seen(entry: Entry) -> deletion.Seen:
    return deletion.Seen(entry.size, entry.mtime_ns)


def _stored(one: Proven) -> deletion.Stored:
    return deletion.Stored(one.name, deletion.Seen(one.size, one.mtime_ns))
