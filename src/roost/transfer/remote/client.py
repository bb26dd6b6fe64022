"""Run a sync on a rented machine, where it continues whatever becomes of this computer.

``run_there`` is all of it: the machine gets what it needs (``roost.transfer``, as here), the
job becomes a unit of its systemd, and this computer follows it. The same job again, from here or
from another computer, attaches to the one that runs.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from roost import errors
from roost.errors import CredentialsError, RoostError, UnreachableError, UsageError
from roost.model.resources import Instance
from roost.provision.machines import Lost, Machines
from roost.recipes import sync
from roost.transfer.job import Job, Note, Outcome, Progress, Tell
from roost.transfer.remote import package
from roost.transfer.s3.config import Keys, Where, sign_in

PATIENCE = 300.0
"""Seconds without news from the machine before following ends; the job continues."""
PAUSE = 2.0
IS_INSTALLED = (
    f'test -d "$1" && test -e {sync.AT}/python-{sync.AWSCRT}/whole && echo yes || echo no'
)
INSTALL = (
    f"umask 022; mkdir -p {sync.AT}; d=$(mktemp -d {sync.AT}/.incoming.XXXXXX);"
    ' trap \'rm -rf "$d"\' EXIT; tar -xf - -C "$d"; chmod 0755 "$d/lib";'
    ' (cd "$d/files"; find . -type f -exec install -D -m 0755 {} /{} ";"); '
    f"{sync.INSTALL} {sync.AT} {sync.AWSCRT} >&2;"
    ' sync -f "$d"; test -d "$1" || mv -T "$d/lib" "$1"'
)
"""The folder appears whole, and last: where it is, all is."""
RUN = 'umask 022; PYTHONPATH="$1" PYTHONDONTWRITEBYTECODE=1 exec "$2" -P -m roost.transfer "$3"'


def run_there(machines: Machines, instance: Instance, job: Job, tell: Tell, note: Note) -> Outcome:
    """Copy on a machine that is up, and wait for the end. ``note`` takes lines for the user.

    The machine's role is used where it has one and S3 is Amazon's; else the credentials that
    ``job.where`` finds here are lent to this one job. It runs as root for a ``tree``, else as who
    owns the folder. A lost connection is made again, and the job goes on meanwhile; Ctrl-C (or
    ``machines.end()``) ends it, and the same job goes on where it was.

    What is not in order is in ``failed`` and makes ``proof.whole`` false; this is no error.
    Raises RoostError where the machine cannot be reached or S3 refuses, BusyError where another
    job is at work between the same two sides, KeyboardInterrupt.
    """
    may_not_delete = job.up and not lends(job.where, instance)
    job = replace(job, where=_with_credentials(job.where, instance, note))
    given = json.dumps({"job": job.to_json(), "token": uuid4().hex}).encode() + b"\n"
    machines.peek(instance)
    _install(machines, instance, note)
    try:
        ended = _follow(machines, instance, given, _Listener(instance.name, tell, note))
    except KeyboardInterrupt:
        _stop(machines, instance, given, note)
        raise
    if ended.asks and may_not_delete:
        note(
            f"deleting needs s3:DeleteObject for the role of {instance.name}; the one that "
            "`roost iam` prints has it only where volumes are parked"
        )
    return ended


# --- who pays ------------------------------------------------------------------------------------


def lends(where: Where, instance: Instance) -> bool:
    """Tell if the machine has no credentials of its own for this S3."""
    return not instance.shape.machine_role or where.endpoint is not None


def _with_credentials(where: Where, instance: Instance, note: Note) -> Where:
    """Return ``where`` with the credentials that are lent to the machine, if any."""
    plain = Where(
        where.region,
        where.endpoint,
        ca_bundle=_authorities(where),
        anonymous=where.anonymous,
        payer=where.payer,
    )
    if where.anonymous or not lends(where, instance):
        return plain
    keys = _credentials(where)
    note(
        f"{instance.name} has no role for this S3: roost lends it your credentials for this sync"
        + (" (whoever is root there could take them)" if instance.role == "seat" else "")
    )
    return replace(plain, keys=keys)


def _authorities(where: Where) -> str | None:
    """Return the certificates themselves: their file is on this computer."""
    if not where.ca_bundle:
        return None
    try:
        return Path(where.ca_bundle).expanduser().read_text()
    except OSError as error:
        raise UsageError(f"{where.ca_bundle}: {error.strerror}") from None


def _credentials(where: Where) -> Keys:
    """Return the present credentials. Raises CredentialsError if there are none."""
    if where.keys is not None:
        return where.keys
    other = sign_in(where.profile)
    nobody = CredentialsError("no AWS credentials", next=f"aws configure   (or: {other})")
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise nobody from None
    try:
        found = botocore.session.Session(profile=where.profile).get_credentials()
        now = found.get_frozen_credentials() if found else None
    except BotoCoreError as error:
        raise CredentialsError(str(error), next=sign_in(where.profile)) from None
    if now is None or not now.access_key or not now.secret_key:
        raise nobody
    return Keys(now.access_key, now.secret_key, now.token)


# --- the machine ---------------------------------------------------------------------------------


def _install(machines: Machines, instance: Instance, note: Note) -> None:
    """Install the sources and the S3 client on the machine, if they are not there yet."""
    place = package.place()
    for left in (2, 1, 0):
        try:
            said = b"".join(
                machines.talk(instance, ["/bin/sh", "-c", IS_INSTALLED, "there", place])
            )
            if said.strip() == b"yes":
                return
            note(f"installing the S3 client on {instance.name}")
            words = ["/bin/sh", "-euc", INSTALL, "bring", place]
            for _ in machines.talk(instance, words, package.archive()):
                pass
            return
        except Lost as lost:
            if machines.rest(PAUSE):
                raise KeyboardInterrupt from None
            if not left:
                _lost(instance, lost)


def _lost(instance: Instance, lost: Lost) -> NoReturn:
    raise UnreachableError(f"the connection to {instance.name} was lost: {lost}") from None


class _Listener:
    """A reader of what the machine writes, line by line; the last is the outcome."""

    def __init__(self, node: str, tell: Tell, note: Note) -> None:
        self.node, self.tell, self.note = node, tell, note
        self.heard = time.monotonic()
        self.planned: Outcome | None = None

    def hear(self, line: bytes) -> Outcome | None:
        """Take one line; return the outcome if it is one. Raises the error that ended the job."""
        self.heard = time.monotonic()
        found: dict[str, Any] = json.loads(line)
        if found.get("attached"):
            self.note(f"the same sync runs on {self.node} already; following it")
        elif found.get("progress"):
            self._progress(Progress.from_json(found["progress"]))
        elif "error" in found:
            raise _error(found["error"], self.node)
        elif "stopped" in found:
            raise RoostError(
                f"another command stopped the sync on {self.node}",
                next="the same command again   (continues where it was)",
            )
        elif "outcome" in found:
            return Outcome.from_json(found["outcome"])
        return None

    def _progress(self, now: Progress) -> None:
        self.planned = now.planned or self.planned
        self.tell(replace(now, planned=self.planned))


def _error(found: dict[str, Any], node: str) -> RoostError:
    """Return the machine's error as it would be on this computer."""
    kind = getattr(errors, str(found["kind"]), RoostError)
    if not (isinstance(kind, type) and issubclass(kind, RoostError)) or kind is errors.SpecError:
        kind = RoostError
    return kind(f"{node}: {found['what']}", next=found["next"])


def _follow(machines: Machines, instance: Instance, given: bytes, listener: _Listener) -> Outcome:
    """Follow the job to its end, over as many connections as that takes."""
    words = ["/bin/sh", "-euc", RUN, "run", package.place(), sync.PYTHON, "attend"]
    while True:
        try:
            for line in machines.talk(instance, words, given):
                ended = listener.hear(line)
                if ended is not None:
                    return ended
            why = Lost("it writes nothing any more")
        except Lost as lost:
            why = lost
        if machines.rest(PAUSE):
            raise KeyboardInterrupt
        if time.monotonic() - listener.heard > PATIENCE:
            _lost(instance, why)


def _stop(machines: Machines, instance: Instance, given: bytes, note: Note) -> None:
    """End the job on the machine: Ctrl-C means that."""
    note(f"ending the sync on {instance.name}; the same command continues where it was")
    words = ["/bin/sh", "-euc", RUN, "run", package.place(), sync.PYTHON, "stop"]
    try:
        for _ in machines.talk(instance, words, given):
            pass
    except (Lost, RoostError) as error:
        note(f"it may continue there: {error}")
