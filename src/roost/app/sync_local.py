"""The way of a sync, once its sides and options are known: look, tell, ask, do, prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from roost.cli.output import interactive, say, write_json
from roost.cli.text.sync import progress, showing, tell_done, tell_plan
from roost.errors import NeedsConfirmationError, PartlyDoneError, UsageError
from roost.transfer.engine import Done, Planned, Sync
from roost.transfer.listing import Side
from roost.transfer.options import Options, opened
from roost.transfer.s3.config import Where
from roost.transfer.verify import Proof, verify
from roost.transfer.watch import Janitor, keep_on, move_away


@dataclass(frozen=True, slots=True)
class Wish:
    """All options of ``roost sync``."""

    options: Options
    where: Where
    dry_run: bool = False
    verify: bool = False
    move: bool = False
    watch: bool = False
    janitors: tuple[Janitor, ...] = ()
    quiet: bool = False
    as_json: bool = False
    yes: bool = False
    no_input: bool = False


@dataclass(slots=True)
class Story:
    """What happened, for ``--json``."""

    source: str
    target: str
    planned: Planned = field(default_factory=Planned)
    done: Done | None = None
    proof: Proof | None = None
    removed: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """As the schema has it."""
        done, proof = self.done or Done(), self.proof
        return {
            "source": self.source,
            "target": self.target,
            "dry_run": self.done is None,
            "to_copy": len(self.planned.copies),
            "to_copy_bytes": self.planned.bytes,
            "to_delete": [entry.name for entry in self.planned.deletions],
            "same": self.planned.same,
            "copied": len(done.copied),
            "bytes": done.bytes,
            "deleted": done.deleted,
            "removed_from_source": self.removed,
            "failed": [{"name": name, "why": why} for name, why in self.troubles()],
            "skipped": [{"name": name, "why": why} for name, why in self.planned.skipped],
            "verified": None
            if proof is None
            else {
                "files": len(proof.proven),
                "bytes": proof.bytes,
                "whole": proof.whole,
                "manifest": proof.manifest,
            },
        }

    def troubles(self) -> list[tuple[str, str]]:
        """All that should be in order and is not."""
        failed = list(self.done.failed) if self.done else []
        named = {name for name, _ in failed}
        wrong = self.proof.wrong if self.proof else ()
        return failed + [(name, why) for name, why in wrong if name not in named]


def run(source: Side, target: Side, wish: Wish) -> None:
    """All of it. Raises RoostError; PartlyDoneError where something could not be copied."""
    story = Story(str(source), str(target))
    with opened(source, target, wish.options, wish.where) as sync:
        check(wish, up=sync.up)
        if wish.watch:
            _watch(sync, wish)
            return
        with showing(wish.quiet):
            story.planned = sync.plan()
        tell_plan(story.planned, sync, quiet=wish.quiet, dry=wish.dry_run)
        if not wish.dry_run:
            _do(sync, wish, story)
    if wish.as_json:
        write_json(story.json())
    tell_done(story.done, story.proof, story.removed, quiet=wish.quiet)
    judge(story.troubles())


def _do(sync: Sync, wish: Wish, story: Story) -> None:
    confirm(len(story.planned.deletions), wish)
    with progress(sync.run.meter, quiet=wish.quiet):
        story.done = sync.do(story.planned)
    if wish.verify:
        story.proof = verify(sync.run, sync.picked)
    if wish.move:
        story.removed, wrong = move_away(sync)
        story.done.failed += [(name, why) for name, why in wrong]


def check(wish: Wish, *, up: bool) -> None:
    """Raise UsageError for options that make no sense together."""
    if not up and (wish.move or wish.watch or wish.verify):
        raise UsageError(
            "--verify, --move and --watch go from a folder to S3; what comes from S3 is always "
            "compared by checksum"
        )
    if not up and wish.options.storage:
        raise UsageError("--class is for what is stored in S3")
    if wish.janitors and not wish.watch:
        raise UsageError("--janitor goes with --watch")
    if wish.watch and (wish.options.delete or wish.dry_run or wish.as_json):
        raise UsageError("--watch goes without --delete, --dry-run and --json")
    if wish.move and wish.options.delete:
        raise UsageError("--move and --delete together would delete what was moved before")


def confirm(count: int, wish: Wish) -> None:
    """So many deletions are shown before this, and want a yes."""
    if not count or wish.yes:
        return
    refused = NeedsConfirmationError(
        f"{count} would be deleted, and nobody said yes", next="the same command with --yes"
    )
    if wish.no_input or not interactive():
        raise refused
    if not click.confirm(f"delete {count}?", err=True):
        raise NeedsConfirmationError("nothing was copied or deleted")


def _watch(sync: Sync, wish: Wish) -> None:
    say(f"watching {sync.run.folder.root}; Ctrl-C ends it, and the next run goes on")
    keep_on(sync, wish.janitors, say, move=wish.move, quiet=wish.quiet)


def judge(troubles: Sequence[tuple[str, str]]) -> None:
    """Raise PartlyDoneError where something is not in order."""
    if troubles:
        name, why = troubles[0]
        raise PartlyDoneError(
            f"{len(troubles)} not in order, the first: {name}: {why}", next="the same command again"
        )
