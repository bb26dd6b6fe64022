"""What parking in S3 does on the machines: nothing writes any more, copy, compare; and back again.

The machine copies by itself (`access/far.py`). A small program, sent through the same connection,
ends what uses a volume and mounts it read-only before its last copy is compared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from roost.errors import PartlyDoneError, RoostError, UnreachableError, command_line
from roost.machine.files import program
from roost.model.resources import Instance, State, Stored, Volume
from roost.parking.coordinator import Found, place_of
from roost.plan.backups import last_let_in
from roost.provision.machines import Lost, Machines
from roost.transfer.job import ANY, Job, Note, Outcome, Tell
from roost.transfer.key_rules import show
from roost.transfer.options import Options
from roost.transfer.remote.client import run_there
from roost.transfer.s3.config import Where

MOST_AT_ONCE = 24
MOST_NAMES = 10
"""Files that an error names."""
MOUNTING = 300.0
"""Seconds in which a volume that was just attached is mounted."""
PAUSE = 2.0
GIB = 2**30
Teller = Callable[[str], Tell]
"""``teller("data -> s3://...")``: whom to tell how far that one is."""


class WrongError(Exception):
    """A volume whose copy in S3 is not whole."""

    def __init__(self, volume: str, what: str) -> None:
        super().__init__(what)
        self.volume = volume
        self.what = what


@dataclass(frozen=True, slots=True)
class FarHands:
    """``roost.parking.coordinator.Hands``, on real machines.

    ``roots`` says below which place in S3 each volume goes, and ``classes`` with which storage
    class, where it is not S3's own; ``here`` is S3 as this computer knows it, whose credentials
    are lent where a machine has none.
    """

    machines: Machines
    roots: Mapping[str, str]
    classes: Mapping[str, str]
    here: Where
    teller: Teller
    note: Note

    # --- to S3 -----------------------------------------------------------------------------------

    def send(self, state: State, volumes: tuple[Volume, ...]) -> Mapping[str, str]:
        """What is on volumes, while programs go on; what changes meanwhile comes later."""
        troubles: dict[str, str] = {}

        def one(instance: Instance, mine: tuple[Volume, ...]) -> None:
            try:
                if self._still(instance, "check", mine)["hold"]:
                    return  # a park that was cut short was further already
                for volume in mine:
                    self._copy(instance, self._up(state, volume))
            except RoostError as error:
                troubles.update({v.name: f"{instance.name}: {error.what}" for v in mine})

        self._all(state, volumes, one)
        return troubles

    def prove(self, state: State, volumes: tuple[Volume, ...]) -> Found:
        """All volumes of a machine, or none of them: where one is not proven, it goes on."""
        copies: list[Stored] = []
        troubles: dict[str, str] = {}

        def one(instance: Instance, mine: tuple[Volume, ...]) -> None:
            try:
                copies.extend(self._proven(state, instance, mine))
            except WrongError as error:
                troubles[error.volume] = error.what
            except RoostError as error:
                troubles.update({v.name: f"{instance.name}: {error.what}" for v in mine})

        self._all(state, volumes, one)
        return Found(tuple(copies), troubles)

    def _proven(self, state: State, instance: Instance, mine: tuple[Volume, ...]) -> list[Stored]:
        self.note(f"{instance.name}: programs that use its data end, and nothing is written now")
        try:
            before = self._still(instance, "hold", mine)
            found = []
            for volume in mine:
                done = self._copy(instance, self._up(state, volume, last=True))
                found.append(self._stored(state, volume, done, before["used"][volume.mount]))
            after = self._still(instance, "held", mine)
            if not before["hold"] or after["hold"] != before["hold"]:
                raise RoostError("it was written to while it was compared")
        except BaseException:
            self._free(instance, mine)
            raise
        return found

    def _stored(self, state: State, volume: Volume, done: Outcome, used: int) -> Stored:
        """Raises WrongError, naming what is wrong, where it is not all in S3."""
        proof = done.proof
        if not done.done or proof is None or not proof.whole or not proof.tree:
            raise WrongError(volume.name, _named(done))
        for name, why in done.failed:  # what is not needed any more, and still there
            self.note(f"{volume.name}: {show(name)}: {why}")
        since = last_let_in(volume, state)
        assert since is not None
        for text in done.notes:
            self.note(f"{volume.name}: {text}")
        return Stored(
            name=volume.name,
            source=volume.id,
            place=place_of(self.roots[volume.name], state, volume),
            tree=proof.tree,
            sha256=proof.tree_sha256,
            size_gib=volume.size_gib,
            used_gib=round(used / GIB, 3),
            since=since,
            taken=since,
            sealed=False,
            region=done.region or self.here.region,
            endpoint=self.here.endpoint or "",
        )

    def _up(self, state: State, volume: Volume, *, last: bool = False) -> Job:
        """``last``: what is in S3 and not on the volume goes, once all is proven."""
        place = place_of(self.roots[volume.name], state, volume)
        options = Options(delete=last, storage=self.classes.get(volume.name))
        agreed = ANY if last else None
        return Job(
            source=volume.mount,
            target=place,
            where=self.here,
            options=options,
            agreed=agreed,
            tree=True,
        )

    # --- back again ------------------------------------------------------------------------------

    def fill(self, state: State, volume: Volume, copy: Stored) -> None:
        """Raises PartlyDoneError, naming what is wrong, where it is not all there."""
        instance = next(i for i in state.instances if i.name == volume.holder)
        self._mounted(instance, volume)
        job = Job(
            source=copy.place,
            target=volume.mount,
            where=replace(self.here, region=copy.region, endpoint=copy.endpoint or None),
            tree=True,
            tree_at=copy.tree,
            tree_sha256=copy.sha256,
            once=True,
        )
        done = self._copy(instance, job)
        if not done.done or done.proof is None or not done.proof.whole:
            raise PartlyDoneError(
                f"not all of volume {volume.name} came back from {copy.place}: {_named(done)}; "
                "nobody but root is let in there until it has",
                exists=state.conditions,
                next=command_line("roost", "resume", state.name) + "   (goes on)",
            )

    def _mounted(self, instance: Instance, volume: Volume) -> None:
        """It was just attached: wait until the machine has found it."""
        deadline = time.monotonic() + MOUNTING
        while True:
            try:
                self._still(instance, "check", (volume,))
                return
            except UnreachableError:
                raise
            except RoostError:
                if time.monotonic() > deadline or self.machines.rest(PAUSE):
                    raise

    def free(self, state: State) -> None:
        """Where a park was cut short, programs may write again."""

        def one(instance: Instance, mine: tuple[Volume, ...]) -> None:
            self._free(instance, mine)

        on = {i.name for i in state.instances if i.state == "running" and i.address}
        self._all(state, tuple(v for v in state.volumes if v.holder in on), one)

    # --- machines --------------------------------------------------------------------------------

    def _all(
        self,
        state: State,
        volumes: Iterable[Volume],
        work: Callable[[Instance, tuple[Volume, ...]], None],
    ) -> None:
        """All machines at once; on each, one volume after the other."""
        mine: dict[str, list[Volume]] = {}
        for volume in volumes:
            mine.setdefault(volume.holder, []).append(volume)
        there = {i.name: i for i in state.instances}
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            futures = [pool.submit(work, there[one], tuple(vs)) for one, vs in mine.items()]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.machines.end()
                pool.shutdown(cancel_futures=True)
                raise

    def _copy(self, instance: Instance, job: Job) -> Outcome:
        tell = self.teller(f"{job.source} -> {job.target}")
        return run_there(self.machines, instance, job, tell, self.note)

    def _free(self, instance: Instance, volumes: tuple[Volume, ...]) -> None:
        """What keeps nobody from hearing what went wrong before."""
        try:
            self._still(instance, "free", volumes)
        except RoostError as error:
            name = self.machines.state.name
            self.note(
                f"{error.what}; `{command_line('roost', 'restart', name)}`"
                " makes its data writable again"
            )

    def _still(self, instance: Instance, what: str, volumes: tuple[Volume, ...]) -> dict[str, Any]:
        """Ask the program. Raises RoostError with what it says is in the way."""
        places = [f"{volume.mount}={volume.id}" for volume in volumes]
        words = ["/usr/bin/python3", "-P", "-", what, *places]
        self.machines.peek(instance)
        try:
            said = b"".join(self.machines.talk(instance, words, program("volume-still").encode()))
        except Lost as lost:
            raise UnreachableError(f"the connection to {instance.name} was lost: {lost}") from None
        found: dict[str, Any] = json.loads(said)
        if trouble := found.get("trouble"):
            raise RoostError(str(trouble))
        return found


def _named(done: Outcome) -> str:
    """The files that are not in order, as far as there is room; each with what is wrong."""
    wrong = [*done.failed] or [("it", "nothing was proven")]
    found = [f"{show(name)}: {why}" for name, why in wrong[:MOST_NAMES]]
    more = len(wrong) - len(found)
    return "; ".join([*found, *([f"and {more} more"] if more > 0 else [])])
