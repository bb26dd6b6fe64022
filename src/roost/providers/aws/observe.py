"""One look at a name: a fixed number of calls, whatever its size.

The first look of a process asks once which kinds of resource carry the name's tag, and describes
only those; nothing is asked about kinds that are not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from roost.errors import CloudError, ThrottledError
from roost.model.nodes import launched
from roost.model.record import read_record
from roost.model.resources import Backup, Instance, Kind, State
from roost.plan.recorded import lost_backups
from roost.providers.aws import access, health, marks, parse, record, s3_copies, tags, trouble
from roost.providers.aws.cache import Memory
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import failed_to_start
from roost.providers.aws.marks import DESCRIBED
from roost.providers.callers import Caller, Who, who_looks

KINDS: dict[str, Kind] = {
    "elastic-ip": "address",
    "image": "image",
    "instance": "instance",
    "key-pair": "key-pair",
    "security-group": "security-group",
    "snapshot": "snapshot",
    "volume": "volume",
}
"""EC2's resource types, as DescribeTags names them, and roost's kinds."""
OWNED: dict[Kind, dict[str, Any]] = {
    "snapshot": {"OwnerIds": ["self"]},
    "image": {"Owners": ["self"], "IncludeDisabled": True},
}
"""Those of other accounts are described too, unless one asks for one's own."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look at one name; ``caller`` gives who looks, and is asked only if needed."""

    calls: Calls
    memory: Memory
    name: str
    caller: Who

    def state(self) -> State:
        """Return all that EC2 describes of the name."""
        if not self.memory.looked:
            self._kinds()
        reservations = self._every("instance")
        self.memory.seen |= {i["InstanceId"] for r in reservations for i in r["Instances"]}
        self._check_begun(reservations)
        instances = self._with_health(parse.instances(reservations))
        names = {i.id: i.name for i in instances}
        groups = self._every("security-group")
        snapshots = self._every("snapshot")
        state = State(
            name=self.name,
            record=self.memory.record,
            key_pairs=parse.key_pairs(self._every("key-pair")),
            security_groups=parse.security_groups(groups, self._caller(groups)),
            volumes=parse.volumes(self._every("volume"), names, parse.ended(reservations)),
            instances=instances,
            addresses=parse.addresses(self._every("address"), names),
            snapshots=parse.snapshots(snapshots, self._tiers(snapshots)),
            images=parse.images(self._every("image"), snapshots),
            s3_copies=self.memory.s3_copies,
            backups=self.memory.kept.backups,
            backups_unread=self.memory.kept.unread,
            owner=self.memory.kept.owner,
            unowned=self.memory.kept.record is not None and self.memory.kept.owner is None,
            foreign=tuple(one for kind in DESCRIBED for one in self.memory.foreign.get(kind, ())),
        )
        state = replace(state, backups=self._missed(state))
        self.memory.remember_seen(state)
        return state

    def _with_health(self, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
        """Ask once how machines are that somebody else began: EC2 checks new ones for minutes."""
        running = [i.id for i in instances if i.state == "running"]
        if self.memory.unwell is None:
            self.memory.unwell = health.ask(self.calls, running)
        unwell = self.memory.unwell or {}
        return tuple(replace(i, health=unwell.get(i.id, "")) for i in instances)

    def _check_begun(self, reservations: list[Any]) -> None:
        """Raise RoostError where a machine that this process began was ended by EC2 at once.

        Another launch would end like it. After trouble of EC2's own there is one other.
        """
        begun = self.memory.begun
        for one in (i for r in reservations for i in r["Instances"] if i["InstanceId"] in begun):
            state, ec2_id = one["State"]["Name"], one["InstanceId"]
            if state == "running":
                del begun[ec2_id]
            elif state == "pending":
                begun[ec2_id] = True
            elif state in ("terminated", "shutting-down") or (state == "stopped" and begun[ec2_id]):
                del begun[ec2_id]
                self._raise_ended(one)

    def _raise_ended(self, described: Mapping[str, Any]) -> None:
        names = launched(tags.read(described.get("Tags")).get(tags.NODE, ""))
        index = int(described.get("AmiLaunchIndex", 0))
        name = names[index] if index < len(names) else described["InstanceId"]
        error = failed_to_start(name, described.get("StateReason", {}))
        if error is None:
            return
        self.memory.made.pop(("instance", name), None)
        if not isinstance(error, ThrottledError):
            raise error
        if error.what in self.memory.notes:
            raise CloudError(error.what, next="the same command again, later")
        self.memory.note(error.what)

    def _kinds(self) -> None:
        mine = [
            {"Name": "key", "Values": [tags.NAME]},
            {"Name": "value", "Values": [self.name, tags.IMAGES]},
        ]
        carrying = self.calls.every("describe_tags", "Tags", Filters=mine)
        found = {t["ResourceType"] for t in carrying if t["Value"] == self.name}
        if any(t["Value"] == tags.IMAGES and t["ResourceType"] == "image" for t in carrying):
            self.memory.baked = None
        self.memory.kinds |= {KINDS[kind] for kind in found & KINDS.keys()}
        recorded = self.memory.begun_before = "launch-template" in found
        self.memory.kept = record.read(self.calls, self.name) if recorded else record.Kept()
        self.memory.record = self.memory.kept.record
        self.memory.s3_copies = s3_copies.read(self.calls, self.name) if recorded else ()
        self.memory.looked = True

    def _missed(self, state: State) -> tuple[Backup, ...]:
        """Return the recorded copies, with what became of those that are needed and not there."""
        missed = lost_backups(state)
        if not missed:
            return state.backups
        self.memory.troubles = self.memory.troubles or trouble.of(self.calls, missed)
        return tuple(replace(b, trouble=self.memory.troubles.get(b.id, "")) for b in state.backups)

    def _every(self, kind: Kind) -> list[Any]:
        """Return all of a kind that are the name's; nothing is asked where none has its tag."""
        if kind in self.memory.fresh:
            self.memory.fresh.discard(kind)
        elif kind in self.memory.kinds and not self.memory.settled(kind):
            call, field = DESCRIBED[kind]
            mine = [{"Name": f"tag:{tags.NAME}", "Values": [self.name]}]
            owned = OWNED.get(kind, {})
            described = self.calls.every(call, field, Filters=mine, **owned)
            ours, others = marks.sort_out(kind, described, self.name)
            self.memory.described[kind], self.memory.foreign[kind] = ours, others
        return self.memory.described.get(kind, [])

    def _tiers(self, snapshots: list[Any]) -> dict[str, str]:
        """Return the tier changes in progress (to the archive or back), by snapshot id."""
        if not any(tags.SEALED in tags.read(s.get("Tags")) for s in snapshots):
            return {}
        mine = [{"Name": "snapshot-id", "Values": [s["SnapshotId"] for s in snapshots]}]
        found = self.calls.optional(
            "describe_snapshot_tier_status", "SnapshotTierStatuses", Filters=mine
        )
        if found is None:
            return self.memory.tiers
        return {s["SnapshotId"]: s.get("LastTieringOperationStatus", "") for s in found}

    def _caller(self, groups: list[Any]) -> Caller:
        """Return who looks; only who opens a way in must be known, and asks again."""
        if not groups:
            return Caller()
        recorded, people = read_record(self.memory.record), access.lets_people_in(groups)
        return who_looks(recorded, self.caller, people=people)
