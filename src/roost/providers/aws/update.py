"""The changes on EC2 to existing resources: start, stop, attach, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from roost.errors import CloudError
from roost.model.resources import Address, Kind, Rule, State
from roost.model.steps import (
    Associate,
    Attach,
    ChangeType,
    CloseRules,
    Delete,
    Reboot,
    Retire,
    Start,
    Step,
    Stop,
    Swap,
    describe,
)
from roost.providers.aws import access, parse, requests, tags
from roost.providers.aws.cache import Memory
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import is_refused
from roost.providers.aws.ledger import note

Retirer = Callable[[State, tuple[str, ...]], None]
"""Lets workers hand over what they hold, from the state and their names. Raises CloudError."""


def no_retiring(state: State, names: tuple[str, ...]) -> None:
    """Retire nothing: workers end without handing over."""
    del state, names


@dataclass(frozen=True, slots=True)
class Changes:
    """The effects of one name; ``memory`` has seen it just now."""

    calls: Calls
    memory: Memory
    name: str
    wall: Callable[[], datetime]
    retire: Retirer = no_retiring

    def apply(self, step: Step) -> None:
        """Do a step that makes nothing."""
        ec2 = self.calls.ec2
        match step:
            case Start(names):
                # A start sets the time of launch anew: what was before is noted first.
                self._note()
                ids = self._instances(names)
                self.calls.for_those_there(ec2.start_instances, ids)
                self.memory.begun |= dict.fromkeys(ids, False)
            case Stop(names):
                self._stop(names)
            case Reboot(names):
                ec2.reboot_instances(InstanceIds=self._instances(names))
            case ChangeType(pairs):
                for one, kind in pairs:
                    ec2.modify_instance_attribute(
                        InstanceId=self.memory.id(self.name, "instance", one),
                        InstanceType={"Value": kind},
                    )
            case Swap(names):
                self._swap(*names)
            case Retire(names):
                self.retire(self.memory.state or State(name=self.name), names)
            case _:
                self._join_or_delete(step)

    def _join_or_delete(self, step: Step) -> None:
        match step:
            case Attach(pairs):
                self._attach(pairs)
            case Associate(addresses):
                for address in addresses:
                    self._associate(address)
            case CloseRules(group, rules):
                self._close(group, rules)
            case Delete(kind, names):
                self._delete(kind, names)
            case _:
                raise CloudError(f"{describe(step)}: EC2 has no way to do it")

    def _swap(self, first: str, second: str) -> None:
        """Exchange two names by one call; the calls before it change no name."""
        aside = self.memory.id(self.name, "instance", first)
        described = [
            one
            for reservation in self.memory.described["instance"]
            for one in reservation["Instances"]
            if one["InstanceId"] in (aside, self.memory.id(self.name, "instance", second))
        ]
        described += [
            one
            for one in self.memory.described.get("volume", ())
            if tags.read(one.get("Tags")).get(tags.HOLDER) in (first, second)
        ]
        ids = [str(one.get("VolumeId") or one["InstanceId"]) for one in described]
        for one, id_ in zip(described, ids, strict=True):
            if {tag["Key"]: tag["Value"] for tag in one["Tags"]}.get(tags.SWAP):
                self.calls.ec2.create_tags(**requests.settled(id_, one["Tags"]))
        self.calls.ec2.create_tags(Resources=[aside], Tags=[{"Key": tags.ASIDE, "Value": "yes"}])
        pair = [{"Key": tags.SWAP, "Value": f"{first} {second}"}]
        self.calls.ec2.create_tags(Resources=ids, Tags=pair)
        for kind in ("instance", "volume"):
            self.memory.described.pop(kind, None)

    # --- instances ---------------------------------------------------------------------------

    def _stop(self, names: tuple[str, ...]) -> None:
        """Stop instances. Spot machines hold no data and end; ``start`` makes new ones."""
        spot = self._instances(tuple(n for n in names if n in self.memory.spot))
        others = self._instances(tuple(n for n in names if n not in self.memory.spot))
        if spot:
            self._note(spot, terminated=True)
            self.calls.for_those_there(self.calls.ec2.terminate_instances, spot)
        if others:
            self._note(others)
            self.calls.for_those_there(self.calls.ec2.stop_instances, others)

    def _note(self, ended: Sequence[str] = (), *, terminated: bool = False) -> None:
        """Write what has run so far into the history, in front of what ends it.

        Who may only start and stop may not write it; then the history has a gap, and says so.
        """
        described, now = self.memory.described, self.wall()
        try:
            note(self.calls, self.name, described, now, ended, terminated=terminated)
        except self.calls.ec2.exceptions.ClientError as error:
            if not is_refused(error):
                raise

    def note_gone(self, ids: Sequence[str]) -> None:
        """Note in the history that these are about to be deleted."""
        self._note(ids, terminated=True)

    # --- what is joined ----------------------------------------------------------------------

    def _attach(self, pairs: tuple[tuple[str, str], ...]) -> None:
        """Attach each volume under a device name that its instance has free."""
        memory = self.memory
        ids = {one: memory.id(self.name, "instance", one) for _, one in pairs}
        taken = {one: parse.devices(memory.described, ids[one]) for one in ids}
        slots = {v.name: v.slot for v in memory.state.volumes} if memory.state else {}
        for volume, instance in pairs:
            # The machine identifies its volumes by device, so each gets its own one if it is free.
            order = requests.devices_from(slots.get(volume, 0))
            device = next((d for d in order if d not in taken[instance]), None)
            if device is None:
                raise CloudError(f"{instance} has no room for another volume")
            taken[instance].add(device)
            self.calls.ec2.attach_volume(
                VolumeId=memory.id(self.name, "volume", volume),
                InstanceId=ids[instance],
                Device=device,
            )

    def _associate(self, address: Address) -> None:
        instance = self.memory.id(self.name, "instance", address.holder)
        answer = self.calls.ec2.associate_address(
            AllocationId=self.memory.id(self.name, "address", address.name), InstanceId=instance
        )
        self.memory.associated(address, instance, str(answer.get("AssociationId", "")))

    def _close(self, group: str, rules: tuple[Rule, ...]) -> None:
        """Take rules back, one network once; EC2 refuses all where one is gone already."""
        group_id = self.memory.id(self.name, "security-group", group)
        ids = partial(self.memory.id, self.name, "security-group")
        going = {(rule.port, rule.cidr or rule.source): access.revoked(rule, ids) for rule in rules}
        call = self.calls.ec2.revoke_security_group_ingress
        asked = list(going.values())
        if self.calls.unless_gone(call, GroupId=group_id, IpPermissions=asked) is None:
            for one in asked:
                self.calls.unless_gone(call, GroupId=group_id, IpPermissions=[one])
        self.memory.forget("security-group")

    # --- what goes ---------------------------------------------------------------------------

    def _delete(self, kind: Kind, names: tuple[str, ...]) -> None:
        ec2 = self.calls.ec2
        if kind == "instance":
            ids = self._instances(names)
            self.note_gone(ids)
            self.calls.for_those_there(ec2.terminate_instances, ids)
        elif kind == "volume":
            self.note_gone([self.memory.id(self.name, kind, one) for one in names])
        for one in names:
            self._delete_one(kind, one)
            self.memory.remember_gone(kind, one)

    def _delete_one(self, kind: Kind, one: str) -> None:
        gone, ec2 = self.calls.unless_gone, self.calls.ec2
        match kind:
            case "volume":
                gone(ec2.delete_volume, VolumeId=self.memory.id(self.name, kind, one))
            case "address":
                self._release(self.memory.id(self.name, kind, one))
            case "security-group":
                gone(ec2.delete_security_group, GroupId=self.memory.id(self.name, kind, one))
            case "key-pair":
                gone(ec2.delete_key_pair, KeyName=requests.key_name(self.name))

    def _release(self, allocation: str) -> None:
        """Release addresses; EC2 takes back only one that nothing uses."""
        for described in self.memory.described.get("address", ()):
            if described["AllocationId"] == allocation and "AssociationId" in described:
                self.calls.unless_gone(
                    self.calls.ec2.disassociate_address, AssociationId=described["AssociationId"]
                )
        self.calls.unless_gone(self.calls.ec2.release_address, AllocationId=allocation)

    def _instances(self, names: tuple[str, ...]) -> list[str]:
        return [self.memory.id(self.name, "instance", one) for one in names]
