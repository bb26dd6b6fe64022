"""The options of a sync, and the sync that they and two sides mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from roost.errors import NotFoundError, UsageError
from roost.transfer.cache import Cache
from roost.transfer.context import Run
from roost.transfer.engine import Sync
from roost.transfer.filters import name_filter
from roost.transfer.listing import Prefix, Side
from roost.transfer.local import Folder
from roost.transfer.s3 import bucket
from roost.transfer.s3.config import Where
from roost.transfer.single import Sides, file_sides, object_sides

CONCURRENCY = 32


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a sync. ``storage``: the class of what is stored in S3.

    ``restore``: the days for which objects of the archive are asked back; 0 for not at all.
    ``kms_key``: the key that S3 encrypts with.
    ``delete_all``: also delete all of the target, where the source is empty. ``max_delete``: how
    many at most, a number or a part in %; "" for any. ``min_age``: the seconds for which a file
    must not have changed before it is moved, or copied while it is watched; None for the usual.
    ``assume_closed``: delete also where the system does not tell if a file is open.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    delete: bool = False
    checksum: bool = False
    follow: bool = False
    storage: str | None = None
    concurrency: int = CONCURRENCY
    restore: int = 0
    restore_tier: str = "Standard"
    kms_key: str = ""
    delete_all: bool = False
    max_delete: str = ""
    min_age: float | None = None
    assume_closed: bool = False


@contextmanager
def opened(source: Side, target: Side, options: Options, where: Where) -> Iterator[Sync]:
    """Open a sync of a folder with S3, or back. Raises RoostError."""
    folder, prefix, up = _sides(source, target)
    sides = Sides(folder, prefix, name_filter(options.include, options.exclude))
    if up:
        sides = file_sides(sides)
        if not sides.folder.is_dir():
            raise NotFoundError(
                f"{folder} is no folder", next="roost sync FOLDER s3://BUCKET/PREFIX"
            )
    connection = bucket.at(prefix, where, connections=options.concurrency)
    if not up:
        sides = sides if options.delete else object_sides(connection, sides)
        sides.folder.mkdir(parents=True, exist_ok=True)
    root = sides.folder.resolve()
    with Cache(root, str(sides.prefix), where.endpoint or "aws") as cache:
        run = Run(
            bucket=connection,
            prefix=sides.prefix.prefix,
            folder=Folder(root, options.follow, sides.prefix.prefix),
            cache=cache,
            storage=options.storage,
            kms_key=options.kms_key,
        )
        with closing(run):
            yield Sync(
                run=run,
                up=up,
                included=sides.included,
                delete=options.delete,
                checksum=options.checksum,
                threads=options.concurrency,
            )


def _sides(source: Side, target: Side) -> tuple[Path, Prefix, bool]:
    """Return the folder, the prefix, and if it goes up."""
    if isinstance(source, Path) and isinstance(target, Prefix):
        return source, target, True
    if isinstance(source, Prefix) and isinstance(target, Path):
        return target, source, False
    raise UsageError(
        f"from {source} to {target}: one side must be a folder and the other in S3",
        next="roost sync FOLDER s3://BUCKET/PREFIX   (or the other way round)",
    )
