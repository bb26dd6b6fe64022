"""A volume agent between the disks of a cloud in memory and a bucket; it can be killed too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from roost.errors import PartlyDoneError
from roost.model.resources import S3Copy, State, Volume, Wanted
from roost.parking.coordinator import Parking
from roost.parking.modes import ParkMode
from roost.parking.restore import fill_all
from roost.parking.volume_agent import BucketRules, Listed, Verified, s3_place
from roost.plan.backups import last_writable
from roost.plan.up import Plan, plan_up
from roost.providers.fake.cloud import FakeCloud, Killed
from roost.reconcile.loop import reconcile


@dataclass
class Bucket:
    """A volume agent; of the volumes in ``broken`` an object is always wrong.

    ``listed`` are the copies that S3 was asked for; where it is ``refused``, nobody here may ask.
    """

    cloud: FakeCloud
    broken: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    refused: bool = False
    used_gib: float = 1
    entries: int = 1
    rules: BucketRules = field(default_factory=lambda: BucketRules(place="", versioned=True))

    def send(self, state: State, volumes: tuple[Volume, ...]) -> dict[str, str]:
        for volume in volumes:
            self._act(state, lambda v=volume: self._push(state, v))  # type: ignore[misc]
        return {}

    def verify(self, state: State, volumes: tuple[Volume, ...]) -> Verified:
        found, troubles = [], {}
        for volume in volumes:
            since = last_writable(volume, state)
            assert since is not None
            self._act(state, lambda v=volume: self.cloud.disks.still.add(v.id))  # type: ignore[misc]
            self._act(state, lambda v=volume: self._push(state, v))  # type: ignore[misc]
            if volume.name in self.broken:
                self.cloud.disks.still.discard(volume.id)
                troubles[volume.name] = "raw/a.fits: its content in S3 differs"
                continue
            found.append(
                S3Copy(
                    name=volume.name,
                    source=volume.id,
                    place=self.place(state, volume),
                    tree="tree",
                    sha256="0",
                    size_gib=volume.size_gib,
                    used_gib=self.used_gib,
                    since=since,
                    taken=since,
                    sealed=False,
                )
            )
        return Verified(tuple(found), troubles)

    def fill(self, state: State, volume: Volume, copy: S3Copy) -> None:
        if volume.name in self.broken:
            raise PartlyDoneError("raw/a.fits is not in S3")
        self._act(state, lambda: self.cloud.disks.pull(volume, copy.place))

    def free(self, state: State) -> None:
        held = {v.id for v in state.volumes}
        self._act(state, lambda: self.cloud.disks.still.difference_update(held))

    def list_copies(self, copies: tuple[S3Copy, ...]) -> Listed:
        self.listed += [copy.name for copy in copies]
        if self.refused:
            return Listed(refused={copy.name: "S3 refuses ListObjectsV2" for copy in copies})
        bucket = self.cloud.disks.bucket
        there = {copy.name for copy in copies if copy.place in bucket}
        gone = {c.name: "1 of 1 objects are not there" for c in copies if c.name not in there}
        return Listed(frozenset(there), gone, entries=dict.fromkeys(there, self.entries))

    def bucket_rules(self, places: tuple[str, ...]) -> tuple[BucketRules, ...]:
        return tuple(replace(self.rules, place=place) for place in dict.fromkeys(places))

    def place(self, state: State, volume: Volume) -> str:
        return s3_place("s3://work", state, volume)

    def _push(self, state: State, volume: Volume) -> None:
        self.sent.append(volume.name)
        self.cloud.disks.push(volume.id, self.place(state, volume))

    def _act(self, state: State, work: Callable[[], object]) -> None:
        """As ``FakeCloud.apply``: machines write meanwhile, and the process may be killed."""
        cloud = self.cloud
        number, cloud.effects = cloud.effects, cloud.effects + 1
        if number == cloud.weather.kill_before:
            raise Killed
        cloud.now += 1
        cloud._write(state.name)
        work()
        if number == cloud.weather.kill_after:
            raise Killed


def up(cloud: FakeCloud, want: Wanted, agent: Bucket | None = None) -> State:
    """What `roost up` does: all that is wanted, and then the data."""

    def planner(have: State, given_up: frozenset[str]) -> Plan:
        return plan_up(want, have, given_up=given_up)

    state = reconcile(cloud, want.name, planner)
    agent = agent or Bucket(cloud)
    agent.free(state)
    return fill_all(cloud, state, agent)


def as_modes(words: Mapping[str, str]) -> dict[str, ParkMode]:
    return {name: ParkMode(word) for name, word in words.items()}


def park(
    cloud: FakeCloud,
    want: Wanted,
    modes: Mapping[str, str],
    confirmed: frozenset[str] = frozenset(),
    agent: Bucket | None = None,
) -> State:
    """What `roost park` does."""
    return Parking(
        modes=as_modes(modes),
        confirmed=confirmed,
        connect=lambda _: nullcontext(agent or Bucket(cloud)),
        drive=lambda planner: reconcile(cloud, want.name, planner),
        clock=lambda: cloud.now,
    ).run()
