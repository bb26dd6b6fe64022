"""The volume agent that works through SSH: stop the writing, copy, compare; and restore.

The machine copies by itself (`transfer/remote/client.py`). A small program, sent through the same
connection, ends what uses a volume and mounts it read-only before its last copy is compared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from roost.errors import PartlyDoneError, RoostError, UnreachableError, command_line
from roost.model.resources import Instance, S3Copy, State, Volume
from roost.parking import s3_evidence
from roost.parking.volume_agent import (
    MOST_AT_ONCE,
    BucketRules,
    Listed,
    Verified,
    VolumeAgent,
    s3_place,
)
from roost.plan.backups import last_writable
from roost.providers.provider import Cloud, need
from roost.provision.machines import Lost, Machines
from roost.recipes.programs import program
from roost.session import Session
from roost.ssh.connection import host_keys_of
from roost.transfer.job import ANY, Job, Note, Outcome, Tell
from roost.transfer.key_rules import show
from roost.transfer.options import Options
from roost.transfer.remote.client import run_there
from roost.transfer.s3.config import Where, where

MOST_NAMES = 10
"""Files that an error names."""
MOUNTING = 300.0
"""Seconds in which a volume that was just attached is mounted."""
PAUSE = 2.0
GIB = 2**30
ProgressOf = Callable[[str], Tell]
"""``progress("data -> s3://...")``: a receiver of the progress of that copy."""


@contextmanager
def connect(
    session: Session,
    cloud: Cloud,
    state: State,
    roots: Mapping[str, str],
    classes: Mapping[str, str],
    note: Note,
) -> Iterator[VolumeAgent]:
    """Reach the machines of a state by their addresses of the moment, and show the copies."""
    s3 = need(cloud.can.s3_copies, "parking in S3", cloud)
    with session.reporter.transfers() as tell:
        yield SshVolumeAgent(
            machines=Machines(state, host_keys_of(cloud, session.say), lambda _: None),
            roots=roots,
            classes=classes,
            here=where(s3.profile, s3.region or None),
            progress=lambda key: partial(tell, key, ""),
            note=note,
        )


def once(tell: Callable[[str], None]) -> Note:
    """Return a note that tells each text once: two copies of one volume have the same notes."""
    told: set[str] = set()

    def note(text: str) -> None:
        if text not in told:
            told.add(text)
            tell(text)

    return note


class WrongCopyError(Exception):
    """A volume whose copy in S3 is not whole."""

    def __init__(self, volume: str, what: str) -> None:
        super().__init__(what)
        self.volume = volume
        self.what = what


@dataclass(frozen=True, slots=True)
class SshVolumeAgent:
    """The volume agent of real machines.

    ``roots`` have the prefix in S3 for each volume, and ``classes`` the storage classes other than
    S3's own; ``here`` is S3 as this computer knows it, whose credentials are lent to machines
    without any.
    """

    machines: Machines
    roots: Mapping[str, str]
    classes: Mapping[str, str]
    here: Where
    progress: ProgressOf
    note: Note

    # --- to S3 -----------------------------------------------------------------------------------

    def send(self, state: State, volumes: tuple[Volume, ...]) -> Mapping[str, str]:
        """Copy volumes while programs go on; what changes meanwhile is copied later."""
        troubles: dict[str, str] = {}

        def send(instance: Instance, volumes: tuple[Volume, ...]) -> None:
            try:
                if self._freeze(instance, "check", volumes)["hold"]:
                    return  # an interrupted park was past this already
                for volume in volumes:
                    self._copy(instance, self._upload(state, volume))
            except RoostError as error:
                troubles.update({v.name: f"{instance.name}: {error.what}" for v in volumes})

        self._on_all(state, volumes, send)
        return troubles

    def verify(self, state: State, volumes: tuple[Volume, ...]) -> Verified:
        """Verify all volumes of a machine, or none: where one fails, its programs may write."""
        copies: list[S3Copy] = []
        troubles: dict[str, str] = {}

        def verify(instance: Instance, volumes: tuple[Volume, ...]) -> None:
            try:
                copies.extend(self._verify(state, instance, volumes))
            except WrongCopyError as error:
                troubles[error.volume] = error.what
            except RoostError as error:
                troubles.update({v.name: f"{instance.name}: {error.what}" for v in volumes})

        self._on_all(state, volumes, verify)
        return Verified(tuple(copies), troubles)

    def _verify(
        self, state: State, instance: Instance, volumes: tuple[Volume, ...]
    ) -> list[S3Copy]:
        self.note(f"{instance.name}: programs that use its data end, and nothing is written now")
        copies = []
        try:
            before = self._freeze(instance, "hold", volumes)
            for volume in volumes:
                outcome = self._copy(instance, self._upload(state, volume, last=True))
                copies.append(self._s3_copy(state, volume, outcome, before["used"][volume.mount]))
            after = self._freeze(instance, "held", volumes)
            if not before["hold"] or after["hold"] != before["hold"]:
                raise RoostError("it was written to while it was compared")
        except BaseException:
            self._free(instance, volumes)
            raise
        return copies

    def _s3_copy(self, state: State, volume: Volume, outcome: Outcome, used: int) -> S3Copy:
        """Describe the copy. Raises WrongCopyError, naming what is wrong, where it is not whole."""
        proof = outcome.proof
        if not outcome.done or proof is None or not proof.whole or not proof.tree:
            raise WrongCopyError(volume.name, _wrong_files(outcome))
        for name, why in outcome.failed:  # objects that are no longer needed, and still there
            self.note(f"{volume.name}: {show(name)}: {why}")
        for text in outcome.notes:
            self.note(f"{volume.name}: {text}")
        since = last_writable(volume, state)
        assert since is not None
        return S3Copy(
            name=volume.name,
            source=volume.id,
            place=s3_place(self.roots[volume.name], state, volume),
            tree=proof.tree,
            sha256=proof.tree_sha256,
            size_gib=volume.size_gib,
            used_gib=round(used / GIB, 3),
            since=since,
            taken=since,
            sealed=False,
            region=outcome.region or self.here.region,
            endpoint=self.here.endpoint or "",
        )

    def _upload(self, state: State, volume: Volume, *, last: bool = False) -> Job:
        """``last``: once all is verified, delete the objects of files that are no longer there."""
        return Job(
            source=volume.mount,
            target=s3_place(self.roots[volume.name], state, volume),
            where=self.here,
            options=Options(delete=last, storage=self.classes.get(volume.name)),
            agreed=ANY if last else None,
            tree=True,
        )

    # --- from S3 ---------------------------------------------------------------------------------

    def fill(self, state: State, volume: Volume, copy: S3Copy) -> None:
        """Restore a volume. Raises PartlyDoneError, naming the files that are wrong or missing."""
        instance = next(i for i in state.instances if i.name == volume.holder)
        self._wait_until_mounted(instance, volume)
        job = Job(
            source=copy.place,
            target=volume.mount,
            where=replace(self.here, region=copy.region, endpoint=copy.endpoint or None),
            tree=True,
            tree_at=copy.tree,
            tree_sha256=copy.sha256,
            once=True,
        )
        outcome = self._copy(instance, job)
        if not outcome.done or outcome.proof is None or not outcome.proof.whole:
            raise PartlyDoneError(
                f"not all of volume {volume.name} came back from {copy.place}: "
                f"{_wrong_files(outcome)}; until it has, only root can open the volume",
                exists=state.conditions,
                next=command_line("roost", "resume", state.name) + "   (goes on)",
            )
        for text in outcome.notes:
            self.note(f"{volume.name}: {text}")

    def _wait_until_mounted(self, instance: Instance, volume: Volume) -> None:
        """Wait until the machine has found a volume that was just attached."""
        deadline = time.monotonic() + MOUNTING
        while True:
            try:
                self._freeze(instance, "check", (volume,))
                return
            except UnreachableError:
                raise
            except RoostError:
                if time.monotonic() > deadline or self.machines.rest(PAUSE):
                    raise

    def free(self, state: State) -> None:
        """Allow writing again where a park was interrupted."""
        running = {i.name for i in state.instances if i.state == "running" and i.address}
        held = tuple(v for v in state.volumes if v.holder in running)
        self._on_all(state, held, self._free)

    # --- S3, asked from here --------------------------------------------------------------------

    def list_copies(self, copies: tuple[S3Copy, ...]) -> Listed:
        """Compare what S3 lists now with recorded copies, with this computer's credentials."""
        return s3_evidence.list_copies(copies, self.here)

    def bucket_rules(self, places: tuple[str, ...]) -> tuple[BucketRules, ...]:
        """Return what the buckets of these places do with objects by themselves."""
        return s3_evidence.bucket_rules(places, self.here)

    # --- machines --------------------------------------------------------------------------------

    def _on_all(
        self,
        state: State,
        volumes: Iterable[Volume],
        work: Callable[[Instance, tuple[Volume, ...]], None],
    ) -> None:
        """Work on all machines at once; on each, on one volume after the other."""
        by_holder: dict[str, list[Volume]] = {}
        for volume in volumes:
            by_holder.setdefault(volume.holder, []).append(volume)
        instances = {i.name: i for i in state.instances}
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            futures = [
                pool.submit(work, instances[name], tuple(held)) for name, held in by_holder.items()
            ]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.machines.end()
                pool.shutdown(cancel_futures=True)
                raise

    def _copy(self, instance: Instance, job: Job) -> Outcome:
        tell = self.progress(f"{job.source} -> {job.target}")
        return run_there(self.machines, instance, job, tell, self.note)

    def _free(self, instance: Instance, volumes: tuple[Volume, ...]) -> None:
        """Allow writing again; a failure is only noted, so that it hides no error before it."""
        try:
            self._freeze(instance, "free", volumes)
        except RoostError as error:
            restart = command_line("roost", "restart", self.machines.state.name)
            self.note(f"{error.what}; `{restart}` makes its data writable again")

    def _freeze(self, instance: Instance, what: str, volumes: tuple[Volume, ...]) -> dict[str, Any]:
        """Run the program: check, hold, held or free. Raises RoostError with its trouble."""
        mounts = [f"{volume.mount}={volume.id}" for volume in volumes]
        words = ["/usr/bin/python3", "-P", "-", what, *mounts]
        self.machines.peek(instance)
        try:
            output = b"".join(
                self.machines.talk(instance, words, program("volume-freeze").encode())
            )
        except Lost as lost:
            raise UnreachableError(f"the connection to {instance.name} was lost: {lost}") from None
        answer: dict[str, Any] = json.loads(output)
        if trouble := answer.get("trouble"):
            raise RoostError(str(trouble))
        return answer


def _wrong_files(outcome: Outcome) -> str:
    """Name the first files that are wrong, each with what is wrong."""
    wrong = [*outcome.failed] or [("it", "nothing was proven")]
    texts = [f"{show(name)}: {why}" for name, why in wrong[:MOST_NAMES]]
    more = len(wrong) - len(texts)
    return "; ".join([*texts, *([f"and {more} more"] if more > 0 else [])])
