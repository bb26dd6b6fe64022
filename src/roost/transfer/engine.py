"""A sync: list both sides, plan, copy with many threads, and return what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from roost.transfer import checksums, deletion, download, own_uploads, times, upload
from roost.transfer.cache import Cursor, Known
from roost.transfer.context import Run
from roost.transfer.deletion import Root, Seen
from roost.transfer.deletion_rules import unread_kept
from roost.transfer.filters import NameFilter
from roost.transfer.key_rules import OURS, file_trouble
from roost.transfer.listing import Entry
from roost.transfer.plan import LATER, NEW, Copy, Delete, DisorderError, Judge, changes
from roost.transfer.pool import Pool, why
from roost.transfer.s3.client import PART, RANGE
from roost.transfer.s3.failures import StoreError

UP_DEPTH = 16
DOWN_DEPTH = 8
"""Small files on their way in one thread; less down, as a thread also waits for the disk."""
LARGER = 8
"""Threads for files that are not small, which take a thread each. This bounds the memory."""


@dataclass(slots=True)
class Planned:
    """The plan of a sync. ``skipped``: names that do not take part, and why.

    ``unsure``: what keeps both sides from being equal, and why (it could not be read). ``having``
    and ``there``: the files of source and target by the filters, counted where something may be
    deleted; ``root`` is the folder that was listed.
    """

    copies: list[Copy] = field(default_factory=list)
    deletions: list[Entry] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unsure: list[tuple[str, str]] = field(default_factory=list)
    same: int = 0
    having: int = 0
    there: int = 0
    root: Root | None = None
    folders: set[str] = field(default_factory=set)

    @property
    def bytes(self) -> int:
        """The number of bytes to copy."""
        return sum(copy.entry.size for copy in self.copies)

    @property
    def empty(self) -> bool:
        """Tell if there is nothing to do."""
        return not self.copies and not self.deletions

    def requests(self, *, up: bool) -> int:
        """Count the requests that S3 charges for what will be copied."""
        return sum(_requests(copy.entry.size, up=up) for copy in self.copies)


@dataclass(slots=True)
class Done:
    """The end of a sync. ``failed``: names that it could not copy or delete, and why."""

    copied: list[Known] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0
    unproved: int = 0


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync in one direction. ``up``: from the folder to S3."""

    run: Run
    up: bool
    included: NameFilter
    delete: bool = False
    checksum: bool = False
    threads: int = 32
    ready: Callable[[Entry], bool] | None = None

    # --- looking -----------------------------------------------------------------------------

    def plan(self) -> Planned:
        """Look at both sides. Raises RoostError."""
        try:
            try:
                planned = self._planned(self._objects())
            except DisorderError:  # not every S3 service lists in order of names
                planned = self._planned(self.run.cache.sort(self._objects()))
            planned.copies = self._confirmed(planned)
        except StoreError as error:
            raise error.explained(f"s3://{self.run.bucket.name}/{self.run.prefix}") from error
        if not self.up:
            self._refuse_impossible(planned)
        return planned

    def plan_known(self) -> Planned:
        """Plan without asking S3: what was seen there is taken to be there still."""
        known = (Entry(*line[:1], *line[2:], tag=line.tag) for line in self.run.cache.in_order())
        return self._planned(known)

    def may_go(self, name: str) -> bool:
        """Tell if a file takes part, and may be deleted once it is proven to be in S3."""
        return not name.endswith("/") and self.included(name)

    def _objects(self) -> Iterator[Entry]:
        for entry in self.run.bucket.objects(self.run.prefix, self.included.begins):
            if not entry.name.startswith(OURS):
                yield entry

    def _planned(self, objects: Iterable[Entry]) -> Planned:
        planned = Planned()
        self.run.folder.leftovers.clear()
        files = self._files(planned)
        source, target = (files, objects) if self.up else (objects, files)
        judge = self._judge(planned)
        if not self.up:
            source = _noting(source, planned.folders)
        if self.delete:
            planned.root = Root.of(self.run.folder.root)
            source, target = self._counted(planned, source, target)
        for action in changes(source, target, judge, self.included, delete=self.delete):
            if isinstance(action, Delete):
                planned.deletions.append(action.entry)
            else:
                planned.copies.append(action)
        self._keep_unread(planned)
        return planned

    def _counted(
        self, planned: Planned, source: Iterable[Entry], target: Iterable[Entry]
    ) -> tuple[Iterable[Entry], Iterable[Entry]]:
        """Return both sides, which count their files by the filters as they are read."""

        def having() -> Iterator[Entry]:
            for entry in source:
                planned.having += not entry.folder and self.included(entry.name)
                yield entry

        def there() -> Iterator[Entry]:
            for entry in target:
                planned.there += not entry.folder and self.included(entry.name)
                yield entry

        return having(), there()

    def _files(self, planned: Planned) -> Iterator[Entry]:
        folder = self.run.folder

        def tell(name: str, why: str) -> None:
            unread = name in folder.unread and not self.included.cuts(name)
            if unread:
                planned.unsure.append((name or ".", why))
            if unread or self.included(name):
                planned.skipped.append((name or ".", why))

        for entry in folder.files(tell, self.included.enters):
            if entry.name == OURS:
                tell(entry.name, "the name is reserved for roost's manifests")
            elif not entry.name.startswith(OURS) and (entry.folder or self._is_ready(entry)):
                yield entry

    def _keep_unread(self, planned: Planned) -> None:
        """Keep in S3 what is below a name that was left out here, whatever the filters say."""
        if not self.up:
            return
        left_out = self.run.folder.left_out
        planned.deletions, kept = unread_kept(planned.deletions, left_out)
        named = {name for name, _ in kept}
        planned.unsure = [one for one in planned.unsure if one[0] not in named] + kept

    def _is_ready(self, entry: Entry) -> bool:
        return self.ready is None or self.ready(entry)

    def _judge(self, planned: Planned) -> Judge:
        known = Cursor(self.run.cache.in_order())

        def judge(source: Entry, target: Entry) -> str | None:
            if source.size != target.size:
                return "size"
            if self.checksum:
                return LATER
            file, stored = (source, target) if self.up else (target, source)
            line = known(file.name)
            if line and (line.tag, line.mtime_ns) == (stored.tag, file.mtime_ns):
                planned.same += 1
                return None
            return LATER

        return judge

    def _confirmed(self, planned: Planned) -> list[Copy]:
        """Return the copies whose object differs, asking S3 for those that are unsure."""
        unsure = [copy for copy in planned.copies if copy.reason == LATER]
        if not unsure:
            return planned.copies
        reasons: dict[str, str | None] = {}

        def ask(copy: Copy) -> None:
            try:
                reasons[copy.entry.name] = self._differ(copy)
            except OSError as error:
                reasons[copy.entry.name] = error.strerror or str(error)

        unknown = set[str]()
        for copy, error in self._by_many(unsure, ask):
            if self.up and isinstance(error, StoreError) and error.gone:
                reasons[copy.entry.name] = NEW  # it is listed, and gone
            else:
                unknown.add(copy.entry.name)
                planned.unsure.append((copy.entry.name, why(error)))
        planned.same += sum(reason is None for reason in reasons.values())
        sure: list[Copy] = []
        for copy in planned.copies:
            reason = reasons.get(copy.entry.name, copy.reason)
            if reason is not None and copy.entry.name not in unknown:
                over = None if reason == NEW else copy.over
                sure.append(copy._replace(reason=reason, over=over))
        return sure

    def _differ(self, copy: Copy) -> str | None:
        """Return the reason to copy, by time or content; None if file and object are the same."""
        run, name = self.run, copy.entry.name
        assert copy.over is not None
        file = copy.entry if self.up else copy.over
        key, path = run.prefix + name, run.folder.path(name)
        head = run.patiently(lambda: run.bucket.head(key))
        kept = times.mtime_ns(head.meta)
        if self.checksum:
            found = checksums.proof(run.bucket, key, head, path)
            same = found is not None and found[1] == found[2]
        elif kept is not None:
            same = kept == file.mtime_ns
        else:  # stored by another program: it is as new as its file, or newer
            same = file.mtime_ns <= head.stored_ns if self.up else file.mtime_ns == head.stored_ns
        if not same:
            return "content" if self.checksum else "time"
        run.cache.add(Known(name, head.tag, file.size, file.mtime_ns))
        return None

    def _refuse_impossible(self, planned: Planned) -> None:
        """Skip the copies whose names no file can have."""
        folds = bool(planned.copies) and deletion.folds_case(self.run.folder.root)
        taken: dict[str, str] = {}
        possible: list[Copy] = []
        for copy in planned.copies:
            name = copy.entry.name
            trouble = file_trouble(name)
            if folds and not trouble and taken.setdefault(name.casefold(), name) != name:
                trouble = f"this disk takes its name for that of {taken[name.casefold()]}"
            if trouble:
                planned.skipped.append((name, trouble))
            else:
                possible.append(copy)
        planned.copies = possible
        if folds:  # the file of a name that is gone may be the one of a name that comes
            coming = {copy.entry.name.casefold() for copy in possible}
            extra = planned.deletions
            planned.deletions = [one for one in extra if one.name.casefold() not in coming]

    # --- doing -------------------------------------------------------------------------------

    def do(self, planned: Planned) -> Done:
        """Copy, then delete. Raises RoostError where nothing can go on, StoppedError."""
        run, done = self.run, Done()
        run.meter.total_files = len(planned.copies)
        run.meter.total_bytes = planned.bytes
        if self.up:
            run.conditional = True
            run.over = {c.entry.name: c.over.tag for c in planned.copies if c.over}
        else:
            over = ((copy.entry.name, copy.over) for copy in planned.copies)
            run.folder.seen.update((k, Seen(v.size, v.mtime_ns)) for k, v in over if v)
        try:
            failed = self._copy(planned.copies, done)
            done.failed = [(name, why(error)) for name, error in failed]
            if not run.stop.is_set():
                copied_not = {name for name, _ in done.failed}
                self._delete(planned, done)
                self._tidy(planned, copied_not)
            done.failed += planned.unsure
        except StoreError as error:
            raise error.explained(f"s3://{run.bucket.name}/{run.prefix}") from error
        finally:
            done.bytes, done.unproved = run.meter.bytes, run.meter.unproved
            run.cache.save()
        run.check()
        return done

    def _by_many(
        self, items: list[Copy], work: Callable[[Copy], None]
    ) -> list[tuple[Copy, Exception]]:
        return Pool(work, self.run.stop).all(items, min(self.threads, len(items)))

    def _copy(self, copies: list[Copy], done: Done) -> list[tuple[str, Exception]]:
        run = self.run
        move, begin = (
            (upload.upload, upload.begin) if self.up else (download.download, download.begin)
        )

        def finished(known: Known) -> None:
            run.cache.add(known)
            done.copied.append(known)
            run.meter.finished()

        pool = Pool[Copy](
            work=lambda copy: move(run, copy.entry, finished),
            stop=run.stop,
            begin=lambda copy: begin(run, copy.entry, finished),
            depth=UP_DEPTH if self.up else DOWN_DEPTH,
        )
        larger = min(LARGER, sum(copy.entry.size > upload.SMALL for copy in copies), self.threads)
        count = min(max(-(-self.threads // pool.depth), larger), len(copies))
        try:
            failed = pool.all(copies, count)
        finally:  # what has arrived gets its names, whatever became of the rest
            late = download.settle(run)
        return [(copy.entry.name, error) for copy, error in failed] + late

    def _delete(self, planned: Planned, done: Done) -> None:
        # Only if nothing failed: a failed copy may be the new form of what would be deleted.
        if not planned.deletions or done.failed:
            return
        run, extra = self.run, planned.deletions
        if self.up:
            root = planned.root or Root.of(run.folder.root)
            done.deleted, done.failed = deletion.delete_extra_objects(
                run.bucket, run.prefix, run.folder, root, extra
            )
        else:
            done.deleted, done.failed = deletion.delete_extra_files(
                run.bucket, run.prefix, run.folder, extra
            )
            deletion.remove_empty(run.folder, done.deleted, planned.folders)
        run.cache.forget(done.deleted)

    def _tidy(self, planned: Planned, failed: set[str]) -> None:
        """Abort uploads that no run will continue. What failed is for the next run."""
        run = self.run
        if not self.up:
            deletion.clean_parts(run.folder, run.folder.leftovers)
            return
        kept = {run.prefix + name for name in failed}
        own_uploads.abort_own(run.bucket, run.cache, kept)
        large = {run.prefix + c.entry.name for c in planned.copies if _large(c)}
        own_uploads.abort_stale(run.bucket, run.prefix, run.cache, large)


def _noting(entries: Iterable[Entry], folders: set[str]) -> Iterator[Entry]:
    for entry in entries:
        if entry.folder:
            folders.add(entry.name)
        yield entry


def _requests(size: int, *, up: bool) -> int:
    if up:
        return 1 if size <= PART else -(-size // upload.part_size(size)) + 2
    return 1 if size <= RANGE else -(-size // RANGE) + 1


def _large(copy: Copy) -> bool:
    return copy.entry.size > PART
