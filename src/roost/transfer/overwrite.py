"""Objects that are overwritten: only what the plan saw, where the service can hold to that."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import TypeVar

from roost.transfer.context import Run
from roost.transfer.s3.bucket import Head
from roost.transfer.s3.failures import StoreError

T = TypeVar("T")
CHANGED = "it changed in S3 since it was looked at; the same command looks again"
_UNKNOWN = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest"})


def over(
    run: Run,
    name: str | None,
    send: Callable[[Mapping[str, str]], T],
    is_it: Callable[[Head], bool],
) -> T | Head:
    """Write an object in place of what the plan saw under its name (None: of anything).

    ``send`` gets the headers of the condition; ``is_it`` knows the object that is written, which
    is returned where an earlier try has made it. Raises StoreError; OSError (ESTALE) where another
    object is there by now.
    """
    condition = {} if name is None else run.condition(name)
    try:
        return send(condition)
    except StoreError as error:
        if not condition or name is None:
            raise
        if error.status == 412 or (error.gone and error.code != "NoSuchUpload"):
            return _met(run, name, send, is_it)
        if error.code not in _UNKNOWN and error.status not in {403, 405, 501}:
            raise
    sent = send({})  # the service, or the role, knows no conditions
    run.conditional = False
    return sent


def _met(
    run: Run, name: str, send: Callable[[Mapping[str, str]], T], is_it: Callable[[Head], bool]
) -> T | Head:
    """Look at the object that is there against the condition."""
    try:
        head = run.bucket.head(run.prefix + name)
    except StoreError as error:
        if not error.gone:
            raise
        run.over.pop(name, None)  # somebody has deleted it: nothing is overwritten
        return send(run.condition(name))
    if is_it(head):
        return head
    raise OSError(errno.ESTALE, CHANGED, name)
