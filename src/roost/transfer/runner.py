"""Do a job on the computer that this runs on: look, tell, copy, prove."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from roost.errors import UsageError
from roost.transfer import thaw
from roost.transfer.context import Meter, Run
from roost.transfer.deletion import delete_older_trees, remove_empty
from roost.transfer.deletion_rules import refuse
from roost.transfer.engine import Done, Planned, Sync
from roost.transfer.job import (
    ANY,
    Job,
    Line,
    Names,
    Outcome,
    Progress,
    Proven,
    Tell,
    deletions,
)
from roost.transfer.listing import Side, side
from roost.transfer.manifest import BEGINS, save_tree
from roost.transfer.openness import MOVE_AGE, QUIET, Rule
from roost.transfer.options import opened
from roost.transfer.restore import plan_restore, restore
from roost.transfer.s3.failures import StoreError
from roost.transfer.verify import Proof, verify
from roost.transfer.watch import Keeper, janitor, move_away

FIRST = 20
"""Names of what is copied that are listed one by one."""
KEPT_LINES = 100
PAUSE = 0.5


@dataclass(slots=True)
class Tracker:
    """The progress of a job: the job writes it, others read it.

    ``listener`` hears of a plan and of each line at once, before the job continues.
    """

    listener: Tell | None = None
    stage: str = "looking"
    meter: Meter = field(default_factory=Meter)
    planned: Outcome | None = None
    lines: tuple[Line, ...] = ()

    def plan(self, planned: Outcome) -> None:
        """Make the plan known."""
        if self.listener is not None:
            self.listener(replace(self.progress(), planned=planned))
        self.planned = planned

    def note(self, text: str) -> None:
        """Write a line about what goes well."""
        self._write(text, routine=True)

    def warn(self, text: str) -> None:
        """Write a line that everybody should see."""
        self._write(text, routine=False)

    def _write(self, text: str, *, routine: bool) -> None:
        number = self.lines[-1].number + 1 if self.lines else 1
        self.lines = (*self.lines[1 - KEPT_LINES :], Line(number, text, routine))
        if self.listener is not None:
            self.listener(self.progress())

    def begin_copying(self) -> None:
        """Enter the stage whose rate is measured."""
        self.stage, self.meter.begun = "copying", time.monotonic()

    def progress(self) -> Progress:
        """Return the state of this moment."""
        meter = self.meter
        return Progress(
            stage=self.stage,
            files=meter.files,
            bytes=meter.bytes,
            total_files=meter.total_files,
            total_bytes=meter.total_bytes,
            seconds=time.monotonic() - meter.begun,
            planned=self.planned,
            lines=self.lines,
        )

    @contextmanager
    def followed(self, tell: Tell) -> Iterator[None]:
        """Tell the progress twice a second, and once more at the end."""
        ended = threading.Event()

        def follow() -> None:
            while True:
                over = ended.wait(PAUSE)
                tell(self.progress())
                if over:
                    return

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(5)


def run_here(job: Job, tell: Tell) -> Outcome:
    """Do a job on this computer. Raises RoostError, OSError, StoppedError."""
    tracker = Tracker(listener=tell)
    with tracker.followed(tell):
        return run(job, tracker)


def run(job: Job, tracker: Tracker) -> Outcome:
    """Do all of a job; deletions only if they are agreed to. Raises RoostError, OSError,
    StoppedError.
    """
    with opened(_side(job.source), _side(job.target), job.options, job.where) as sync:
        tracker.meter = sync.run.meter
        if job.tree and not job.up:
            return _restore(sync, job, tracker)
        if job.watch:
            return _watch(sync, job, tracker)
        planned = sync.plan()
        from_archive = _from_archive(job, sync, planned)
        plan = outcome(job, sync, planned, from_archive)
        tracker.plan(plan)
        if not job.tree:
            _refuse(sync, job, planned)
        if job.dry_run or (plan.asks and job.agreed not in {ANY, plan.deletions}):
            return plan
        if job.options.restore:
            planned.unsure += _ask_back(job, sync, from_archive)
        work = _up_with_tree if job.tree else _plain
        ended = work(sync, job, tracker, planned, plan)
        trouble = sync.run.cache.trouble
        return replace(ended, notes=(*ended.notes, trouble)) if trouble else ended


def _side(text: str) -> Side:
    """Return a side; a path of this computer may look like anything."""
    return side(text) if text.startswith("s3://") else Path(text)


def _from_archive(job: Job, sync: Sync, planned: Planned) -> thaw.Archived:
    """Take the copies that are in the archive out of a plan, if they shall be asked back."""
    if job.up or not job.options.restore:
        return thaw.Archived()
    try:
        found, planned.copies = thaw.look(sync.run, planned.copies, sync.threads)
    except StoreError as error:
        raise error.explained(job.source) from error
    return found


def _ask_back(job: Job, sync: Sync, found: thaw.Archived) -> list[tuple[str, str]]:
    options = job.options
    try:
        return thaw.ask_for(sync.run, found, options.restore, options.restore_tier, sync.threads)
    except StoreError as error:
        raise error.explained(job.source) from error


def outcome(
    job: Job, sync: Sync, planned: Planned, from_archive: thaw.Archived | None = None
) -> Outcome:
    """Return a plan as an outcome that is not done."""
    names = tuple(entry.name for entry in planned.deletions)
    archive = from_archive or thaw.Archived()
    restores = tuple((copy.entry.name, copy.entry.storage) for copy in archive.wanted)
    return Outcome(
        source=job.source,
        target=job.target,
        to_copy=len(planned.copies),
        to_copy_bytes=planned.bytes,
        requests=planned.requests(up=sync.up),
        same=planned.same,
        first=tuple((copy.entry.name, copy.reason) for copy in planned.copies[:FIRST]),
        to_delete=names,
        deletions=deletions(names, (name for name, _ in restores)),
        to_restore=restores,
        to_restore_bytes=archive.bytes,
        failed=tuple(planned.unsure),
        skipped=tuple(planned.skipped),
        region=sync.run.bucket.client.where.region,
    )


def _refuse(sync: Sync, job: Job, planned: Planned) -> None:
    """Raise RoostError where more would be deleted than the user can have meant."""
    if not planned.deletions:
        return
    if not sync.up and not planned.having and sync.run.prefix:
        key = sync.run.prefix.rstrip("/")
        with suppress(StoreError):
            sync.run.bucket.head(key)
            raise UsageError(
                f"s3://{sync.run.bucket.name}/{key} is an object, and no prefix: with --delete all"
                f" {len(planned.deletions)} in {job.target} would go; nothing was changed"
            )
    refuse(
        len(planned.deletions),
        planned.there,
        planned.having,
        sides=(job.source, job.target),
        most=job.options.max_delete,
        everything=job.options.delete_all,
    )


def _plain(sync: Sync, job: Job, tracker: Tracker, planned: Planned, plan: Outcome) -> Outcome:
    tracker.begin_copying()
    done = sync.do(planned)
    proof, removed = None, list[str]()
    if job.verify:
        tracker.stage = "proving"
        proof = verify(sync.run, sync.included)
    if job.move:
        tracker.stage = "proving"
        removed, wrong = move_away(sync, _rule(job))
        remove_empty(sync.run.folder, removed, ())
        done.failed += wrong
    return _ended(plan, done, proof, removed=tuple(removed))


def _ended(
    plan: Outcome, done: Done, proof: Proof | None = None, *, removed: tuple[str, ...] = ()
) -> Outcome:
    return replace(
        plan,
        done=True,
        copied=len(done.copied),
        bytes=done.bytes,
        deleted=tuple(done.deleted),
        removed=removed,
        failed=_troubles(done.failed, proof.wrong if proof else ()),
        unproved=done.unproved,
        proof=_proven(proof) if proof else None,
    )


def _troubles(failed: list[tuple[str, str]], wrong: Names) -> Names:
    """Return each name that is not in order once."""
    named = {name for name, _ in failed}
    return (*failed, *((name, why) for name, why in wrong if name not in named))


def _proven(proof: Proof) -> Proven:
    return Proven(
        files=len(proof.proven),
        bytes=proof.bytes,
        whole=proof.whole,
        manifest=proof.manifest or "",
        manifest_sha256=proof.manifest_sha256,
        read_back=sum(one.read_back for one in proof.proven),
    )


def _watch(sync: Sync, job: Job, tracker: Tracker) -> Outcome:
    tracker.stage = "watching"
    rules = tuple(janitor(text) for text in job.janitors)
    rule = _rule(job)
    keeper = Keeper(sync, rules, tracker.note, tracker.warn, rule, move=job.move)
    keeper.watch(rule.min_age)
    return Outcome(source=job.source, target=job.target, done=True)


def _rule(job: Job) -> Rule:
    """Return the rule for files that are deleted here once they are stored."""
    usual = MOVE_AGE if job.move else QUIET
    age = job.options.min_age
    return Rule(usual if age is None else age, job.options.assume_closed)


# --- trees ---------------------------------------------------------------------------------------


def _up_with_tree(
    sync: Sync, job: Job, tracker: Tracker, planned: Planned, plan: Outcome
) -> Outcome:
    """Copy, prove, put the tree; what only S3 has goes last, and only if all of it is proven."""
    if job.options.include or job.options.exclude or job.options.follow:
        raise UsageError("a tree needs the whole folder: no include, exclude or follow")
    run = sync.run
    tracker.begin_copying()
    extra, planned.deletions = planned.deletions, []
    done = sync.do(planned)
    tracker.stage = "proving"
    proof = _listed(run, verify(run, sync.included, manifest=False, sha256=True))
    saved = save_tree(run, proof)
    if saved.whole and job.options.delete:
        gone = sync.do(Planned(deletions=extra, root=planned.root))
        done.deleted, done.failed = gone.deleted, done.failed + gone.failed
        done.failed += _delete_older_trees(run, saved.place)
    made = Proven(
        files=sum(one.kind != "folder" for one in proof.proven),
        bytes=proof.bytes,
        whole=saved.whole,
        tree=saved.place,
        tree_sha256=saved.sha256,
    )
    failed = _troubles(done.failed, saved.wrong)
    return replace(_ended(plan, done), failed=failed, proof=made, notes=saved.notes)


def _listed(run: Run, proof: Proof) -> Proof:
    """Remove from a proof what S3 keeps under another name: some services change names.

    Such an object would be deleted as one that the folder does not have, and not be found again.
    """
    try:
        names = {one.name for one in run.bucket.objects(run.prefix)}
    except StoreError as error:
        raise error.explained(f"s3://{run.bucket.name}/{run.prefix}") from error
    other = [one for one in proof.proven if one.name not in names]
    wrong = [(one.name, "this S3 keeps it under another name") for one in other]
    return replace(
        proof,
        proven=tuple(one for one in proof.proven if one.name in names),
        wrong=(*proof.wrong, *wrong),
    )


def _delete_older_trees(run: Run, newest: str) -> list[tuple[str, str]]:
    """Delete the older trees: what they name may be gone, or have changed."""
    place = f"s3://{run.bucket.name}/"
    try:
        return delete_older_trees(run.bucket, run.prefix + BEGINS, newest.removeprefix(place))
    except StoreError as error:
        raise error.explained(place + run.prefix) from error


def _restore(sync: Sync, job: Job, tracker: Tracker) -> Outcome:
    tracker.stage = "comparing"
    restoration, planned = plan_restore(sync, job.tree_at, job.tree_sha256, once=job.once)
    plan = replace(outcome(job, sync, planned), failed=tuple(sorted(restoration.wrong.items())))
    tracker.plan(plan)
    if job.dry_run:
        return plan
    tracker.begin_copying()
    restore(sync, restoration, planned)
    meter, wrong = sync.run.meter, tuple(sorted(restoration.wrong.items()))
    proof = Proven(
        files=len(restoration.right),
        bytes=sum(leaf.size for leaf in restoration.right),
        whole=not wrong,
        tree=restoration.place,
        tree_sha256=restoration.sha256,
    )
    return replace(
        plan,
        done=True,
        copied=meter.files,
        bytes=meter.bytes,
        failed=wrong,
        proof=proof,
        notes=restoration.notes,
    )
