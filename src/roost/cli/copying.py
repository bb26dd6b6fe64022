"""The options of the commands that copy data (sync, pull, push), and what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from roost.cli.terminal import session as open_session
from roost.errors import UsageError
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.app.sync import Result
    from roost.session import Session
    from roost.transfer.job import Job

CLASSES = (
    *("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING"),
    *("GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"),
)


F = TypeVar("F", bound=Callable[..., Any])


def _option(*words: str, **more: Any) -> Callable[[F], F]:
    return click.option(*words, **more)


GLOB: dict[str, Any] = {"multiple": True, "metavar": "GLOB"}
BOTH_WAYS = (
    _option("--include", help="Only what fits (repeatable).", **GLOB),
    _option("--exclude", help="All but what fits (repeatable).", **GLOB),
    _option("--delete", is_flag=True, help="Delete from DST what SRC does not have; asks first."),
    _option(
        "--max-delete",
        metavar="N|N%",
        default="",
        help="With --delete: refuse to delete more than N, or N % of what DST has.",
    ),
    _option("--delete-all", is_flag=True, help="With --delete: even if SRC is empty."),
    _option("--dry-run", is_flag=True, help="Say what would be done, and what it would cost."),
    _option("--checksum", is_flag=True, help="Compare contents, not sizes and times."),
)
"""The options of ``sync``, ``pull`` and ``push``, in the order in which ``--help`` shows them."""
TO_S3 = (
    _option("--verify", is_flag=True, help="Then prove every file in S3 by its checksum."),
    _option("--move", is_flag=True, help="Delete the files from SRC that are proven in S3."),
    _option("--watch", is_flag=True, help="Keep running: copy files as soon as they are finished."),
    _option(
        "--janitor",
        multiple=True,
        metavar="WASTE=WANTED",
        help="With --watch: delete WASTE once WANTED of the same * is proven in S3.",
    ),
    _option(
        "--min-age",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="With --move or --watch: only files that have not changed for so long [60; 5 for"
        " --watch alone].",
    ),
    _option(
        "--assume-closed",
        is_flag=True,
        help="With --move: also where the system does not say if a program has a file open.",
    ),
    _option("--class", "storage", type=click.Choice(CLASSES), help="S3's storage class."),
    _option("--kms-key", metavar="KEY", default="", help="The KMS key that S3 encrypts with."),
)
"""The options of ``sync`` and ``push``."""
FROM_S3 = (
    _option(
        "--restore",
        type=click.IntRange(1, 365),
        metavar="DAYS",
        help="Ask S3 for objects in the archive, to be read for DAYS; asks first.",
    ),
    _option(
        "--restore-tier",
        type=click.Choice(("Standard", "Bulk")),
        default="Standard",
        show_default=True,
        help="How fast: Bulk is slower and costs less.",
    ),
)
"""The options of ``sync`` and ``pull``."""
S3 = (
    _option("--request-payer", "payer", is_flag=True, help="Pay for the requests yourself."),
    _option("--no-sign-request", "anonymous", is_flag=True, help="Without credentials."),
)
"""How S3 is asked."""
HOW = (
    _option("--follow-symlinks", "follow", is_flag=True, help="Copy what symlinks lead to."),
    _option(
        "--concurrency",
        type=click.IntRange(1, 256),
        default=32,
        show_default=True,
        help="At once.",
    ),
    _option("--endpoint-url", metavar="URL", help="Another S3 service than Amazon's."),
)
QUIET = _option("--quiet", "-q", is_flag=True, help="Say nothing while it goes well.")


def options(*these: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds these options, in this order."""

    def with_all(function: F) -> F:
        for option in reversed(these):
            function = option(function)
        return function

    return with_all


def session_for(place: Place, chosen: dict[str, Any]) -> Session:
    """Return the session that the options of a copy mean."""
    words = ("yes", "no_input", "quiet")
    return open_session(place, **{word: chosen[word] for word in words})


def job(chosen: dict[str, Any], source: str = "", target: str = "") -> Job:
    """Return the job that the options mean. Raises UsageError."""
    from roost.transfer.job import ANY, Job
    from roost.transfer.options import Options
    from roost.transfer.s3.config import where

    if chosen.get("watch") and chosen["as_json"]:
        raise UsageError("--watch goes without --delete, --dry-run and --json")
    how = [field.name for field in fields(Options)]
    there = where(chosen["profile"], chosen["region"], chosen["endpoint_url"])
    asking = {key: chosen.get(key, False) for key in ("payer", "anonymous")}
    return Job(
        source=source,
        target=target,
        where=replace(there, **asking),
        options=Options(**{key: chosen[key] for key in how if chosen.get(key) is not None}),
        verify=chosen.get("verify", False),
        move=chosen.get("move", False),
        watch=chosen.get("watch", False),
        janitors=chosen.get("janitor", ()),
        dry_run=chosen["dry_run"],
        agreed=ANY if chosen["yes"] else None,
    )


def show_all(which: str, results: Sequence[Result], chosen: dict[str, Any]) -> None:
    """Show the end of a pull or push. Raises PartlyDoneError where something is not in order."""
    from roost.app.sync import judge
    from roost.cli.output import write_json
    from roost.cli.text.sync import result_json, show_result

    for result in results:
        show_result(result, quiet=chosen["quiet"])
    if chosen["as_json"]:
        syncs = [{"node": result.transfer.node, **result_json(result)} for result in results]
        write_json({"name": which.partition("/")[0], "syncs": syncs})
    judge(results)
