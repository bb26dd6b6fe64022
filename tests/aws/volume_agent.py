"""A volume agent between the disks of the strict double and a bucket; it can be killed too."""

from __future__ import annotations

from dataclasses import dataclass, field

from roost.model.resources import S3Copy, State, Volume
from roost.parking.volume_agent import BucketRules, Listed, Verified, s3_place
from roost.plan.backups import last_writable
from tests.aws.strict import StrictEc2


@dataclass
class DiskVolumeAgent:
    """A volume agent; of the volumes in ``broken`` an object is always wrong."""

    ec2: StrictEc2
    broken: set[str] = field(default_factory=set)

    def send(self, state: State, volumes: tuple[Volume, ...]) -> dict[str, str]:
        for volume in volumes:
            self._push(state, volume)
        return {}

    def verify(self, state: State, volumes: tuple[Volume, ...]) -> Verified:
        found, troubles = [], {}
        for volume in volumes:
            since = last_writable(volume, state)
            assert since is not None
            self.ec2.act("MakeStill", lambda v=volume: self.ec2.still.add(v.id))  # type: ignore[misc]
            place = self._push(state, volume)
            if volume.name in self.broken:
                self.ec2.still.discard(volume.id)
                troubles[volume.name] = "raw/a.fits: its content in S3 differs"
                continue
            copy = S3Copy(
                name=volume.name,
                source=volume.id,
                place=place,
                tree=f"{place}.roost/tree-20260101T000000.000000Z.jsonl",
                sha256="ab" * 32,
                size_gib=volume.size_gib,
                used_gib=1.5,
                since=since,
                taken=since,
                sealed=False,
                region="eu-central-1",
            )
            found.append(copy)
        return Verified(tuple(found), troubles)

    def fill(self, state: State, volume: Volume, copy: S3Copy) -> None:
        del state
        self.ec2.act("PullBack", lambda: self.ec2.pull(volume.id, volume.name, copy.place))

    def free(self, state: State) -> None:
        held = {v.id for v in state.volumes}
        self.ec2.act("LetWrite", lambda: self.ec2.still.difference_update(held))

    def list_copies(self, copies: tuple[S3Copy, ...]) -> Listed:
        there = {copy.name for copy in copies if copy.place in self.ec2.bucket}
        gone = {c.name: "1 of 1 objects are not there" for c in copies if c.name not in there}
        return Listed(frozenset(there), gone)

    def bucket_rules(self, places: tuple[str, ...]) -> tuple[BucketRules, ...]:
        return tuple(BucketRules(place=place, versioned=True) for place in dict.fromkeys(places))

    def _push(self, state: State, volume: Volume) -> str:
        place = s3_place("s3://my-bucket/parked", state, volume)
        self.ec2.act("PushAll", lambda: self.ec2.push(volume.id, place))
        return place
