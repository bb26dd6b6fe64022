"""The knowledge of one process about one name between two looks; the next process needs none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from roost.errors import NotYetError
from roost.model.owner import Foreign
from roost.model.resources import (
    Address,
    Image,
    Instance,
    KeyPair,
    Kind,
    Resource,
    S3Copy,
    SecurityGroup,
    Snapshot,
    State,
    Volume,
)
from roost.providers.aws import tags
from roost.providers.aws.record import Kept

if TYPE_CHECKING:
    from roost.model.images import BakedImage

BLIND_SECONDS = 60.0
"""For so long, what was just made may not be described yet."""
STEADY: frozenset[Kind] = frozenset(("key-pair", "security-group"))
"""These change by our own doing only: one look at them is enough."""


@dataclass(slots=True)
class Memory:
    """``begun_before``: another process has begun this name, and what it made may not be described
    yet. ``kinds`` are those that can exist; ``ids`` are EC2's, by which steps name things.

    ``described`` is EC2's last description of each kind, ``foreign`` what has the name's tag and
    is not in it, ``spot`` the names of spot instances,
    ``seen`` the ids of all instances, gone ones too; ``s3_copies`` are the copies in S3, and
    ``kept`` is what the launch template has: the record, and the copies that park made.
    ``troubles`` says what became of recorded copies that are missed, by their ids.
    ``state`` is what the last look saw; ``changed`` has volumes as they are becoming,
    and ``unchanged`` says why others stay as they are, by their ids.
    ``there`` are the instances that the last look saw; ``fresh`` are the kinds of which all that is
    there was made or changed after it, so that another look has nothing to tell yet; ``notes`` are
    for whoever watches.
    ``baked`` are the region's baked images; None: there are some, which nobody has described yet.
    ``launched`` are the ids of instances that this process made. ``begun`` are the ids of those
    that it launched or started and has not seen running; True for those that it has seen on their
    way.
    ``unwell`` says what is wrong with machines, by their ids; None: nobody has asked yet.
    ``tiers`` are the changes of snapshots' tiers that this process saw begin.
    ``made`` is what this process made and has not seen described yet, with the time it was made;
    ``vanished`` are the ids of what was never described at all: EC2 answered with what is gone.
    """

    looked: bool = False
    begun_before: bool = False
    kinds: set[str] = field(default_factory=set)
    record: str | None = None
    s3_copies: tuple[S3Copy, ...] = ()
    kept: Kept = field(default_factory=Kept)
    troubles: dict[str, str] = field(default_factory=dict)
    zone: str | None = None
    ids: dict[tuple[Kind, str], str] = field(default_factory=dict)
    made: dict[tuple[Kind, str], tuple[Resource, float]] = field(default_factory=dict)
    vanished: set[str] = field(default_factory=set)
    described: dict[Kind, list[Any]] = field(default_factory=dict)
    foreign: dict[Kind, list[Foreign]] = field(default_factory=dict)
    spot: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    state: State | None = None
    changed: dict[str, Volume] = field(default_factory=dict)
    unchanged: dict[str, str] = field(default_factory=dict)
    there: tuple[Instance, ...] = ()
    fresh: set[Kind] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    baked: tuple[BakedImage, ...] | None = ()
    tiers: dict[str, str] = field(default_factory=dict)
    begun: dict[str, bool] = field(default_factory=dict)
    launched: set[str] = field(default_factory=set)
    unwell: dict[str, str] | None = None

    def id(self, name: str, kind: Kind, one: str) -> str:
        """Return EC2's id of one of ``name``'s resources. Raises NotYetError if it was not seen."""
        found = self.ids.get((kind, one))
        if found is None:
            raise NotYetError(f"{name} has no {kind} {one}")
        return found

    def remember_made(self, resource: Resource, ec2_id: str, now: float) -> None:
        """Remember what was made just now."""
        key = (resource.kind, resource.name)
        self.kinds.add(resource.kind)
        self.made[key] = (resource, now)
        self.ids[key] = ec2_id

    def note(self, text: str) -> None:
        """Tell whoever watches, once."""
        if text not in self.notes:
            self.notes.append(text)

    def just_made(self, kind: Kind) -> None:
        """Note whether this process made all of a kind: another look has no more to tell."""
        if not self.described.get(kind):
            self.fresh.add(kind)

    def associated(self, address: Address, instance: str, association: str) -> None:
        """Take over that an address is an instance's now. Where all instances run, nobody has to
        look again for that, but for an address that a process before this one had got: EC2 knows
        no second wish for the same.
        """
        for one in self.described.get("address", ()):
            if one["AllocationId"] == address.id:
                one |= {"InstanceId": instance, "AssociationId": association}
        for one in (i for r in self.described.get("instance", ()) for i in r["Instances"]):
            if one["InstanceId"] == instance and address.ip:
                one["PublicIpAddress"] = address.ip
        key = (address.kind, address.name)
        if key in self.made:
            self.made[key] = (replace(address, attached=True), self.made[key][1])
        unseen = any(kind == "instance" for kind, _ in self.made)
        if not unseen and all(i.state == "running" for i in self.there):
            self.fresh.add("instance")
            if not self.begun_before:
                self.fresh.add("address")

    @property
    def head(self) -> str | None:
        """The head's private address; None where there is no head, or one that is going."""
        made = (r for r, _ in self.made.values() if isinstance(r, Instance))
        heads = [i for i in (*self.there, *made) if i.role == "head" and i.state != "deleting"]
        return heads[-1].private if heads else None

    def forget(self, kind: Kind) -> None:
        """Forget how a kind is described, also what this process made of it: it has changed."""
        self.described.pop(kind, None)
        self.made = {key: made for key, made in self.made.items() if key[0] != kind}

    def remember_gone(self, kind: Kind, name: str) -> None:
        """Remember what was deleted just now."""
        self.made.pop((kind, name), None)
        if kind in STEADY:
            left = self.described.get(kind, ())
            self.described[kind] = [
                one for one in left if tags.read(one.get("Tags")).get(tags.NODE) != name
            ]

    def _as_changed(self, volume: Volume) -> Volume:
        """Return a volume with its new size: EC2 shows the old one for a while."""
        new = self.changed.get(volume.id)
        if new is None:
            return replace(volume, note=volume.note or self.unchanged.get(volume.id, ""))
        return replace(
            volume,
            size_gib=new.size_gib,
            type=new.type,
            iops=new.iops,
            throughput=new.throughput,
        )

    def settled(self, kind: Kind) -> bool:
        """Tell whether all of a kind is known: it was described, or made, by this process."""
        return kind in STEADY and (kind in self.described or any(k == kind for k, _ in self.made))

    def remember_seen(self, state: State) -> None:
        """Take the state of a look: what it describes is no longer made and unseen."""
        for resource in state.resources:
            key = (resource.kind, resource.name)
            self.made.pop(key, None)
            if isinstance(resource, Instance | Volume | Address | SecurityGroup):
                self.ids[key] = resource.id
        self.state = state
        self.there = state.instances
        self.spot = {i.name for i in state.instances if i.shape.spot}

    def with_unseen(self, state: State, now: float) -> State:
        """Return ``state`` with what was made a moment ago and is not described yet."""
        young = {
            key: made
            for key, made in self.made.items()
            if key[0] in STEADY or now - made[1] < BLIND_SECONDS
        }
        self.vanished |= {self.ids[key] for key in self.made.keys() - young.keys()}
        self.made = young
        unseen = [resource for resource, _ in self.made.values()]
        state = replace(state, volumes=tuple(self._as_changed(v) for v in state.volumes))
        return replace(
            state,
            key_pairs=(*state.key_pairs, *(r for r in unseen if isinstance(r, KeyPair))),
            security_groups=(
                *state.security_groups,
                *(r for r in unseen if isinstance(r, SecurityGroup)),
            ),
            volumes=(*state.volumes, *(r for r in unseen if isinstance(r, Volume))),
            instances=(*state.instances, *(r for r in unseen if isinstance(r, Instance))),
            addresses=(*state.addresses, *(r for r in unseen if isinstance(r, Address))),
            snapshots=(*state.snapshots, *(r for r in unseen if isinstance(r, Snapshot))),
            images=(*state.images, *(r for r in unseen if isinstance(r, Image))),
            notes=tuple(self.notes),
        )
