"""The nouns: all that can be wanted from a cloud, and that a cloud has.

The same classes serve every cloud. A resource is known by ``(kind, name)``; the name is unique
among one roost's resources of that kind and is written on it as a tag when it is created.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roost.model.owner import Foreign, Owner

Kind = Literal["key-pair", "security-group", "volume", "instance", "address", "snapshot", "image"]
Role = Literal["head", "worker", "desktop", "seat", "gateway"]
GATEWAY: Role = "gateway"
"""The machine through which all others are reached; its name, and that of its address, too."""
STATELESS: frozenset[Role] = frozenset(("worker", GATEWAY))  # their machines keep nothing
InstanceState = Literal[
    "pending",  # being made, or set up
    "running",  # up, and its set-up is done
    "stopping",
    "stopped",
    "deleting",
    "failed",  # its set-up failed, or it died; starting it again is how it is mended
    "unknown",  # the cloud says a word that this version does not know: it is left alone
]
VolumeState = Literal[
    "creating",
    "available",
    "attached",
    "detaching",
    "deleting",
    "failed",  # the cloud's own hardware failed, or it could not be made
    "unknown",
]
CopyState = Literal[
    "pending",
    "completed",
    "failed",  # nothing can be made from it
    "unusable",  # nothing can be made from it until somebody lifts that (disabled, in a bin)
    "unknown",
]
Tier = Literal["standard", "archiving", "archived", "restoring"]
"""The storage of a snapshot: a volume is made only from one in ``standard``."""

CREATE_ORDER: tuple[Kind, ...] = ("key-pair", "security-group", "address", "instance", "volume")
"""The order of creation: what costs least and may be refused comes before machines, and a volume
after them, in the zone where its machine found room."""
SURPLUS = "+"
"""The end of the name of a resource made twice; it goes first, unless it holds data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The type, disk and image of an instance; one call launches a role and shape.

    ``type`` is the cloud's own name of the machine (``"m7i.xlarge"``), or ``"process"`` on the
    user's own machine; ``memory_gib`` and ``disk_gib`` are GiB; an empty ``disk_type`` is the
    cloud's own choice. Where there is no room, ``others`` are the types to try after ``type``, and
    ``or_on_demand`` says that a spot machine may be one on demand: an instance that is there can be
    any of these. ``max_price`` is what an hour of a spot machine costs at most, in US dollars.
    ``machine_role`` is the right that it is launched with (an IAM instance profile).
    """

    type: str
    cpus: int
    memory_gib: float
    gpus: int = 0
    arch: str = "x86_64"
    image: str = ""
    disk_gib: float = 0
    disk_type: str = ""
    disk_iops: int | None = None
    disk_throughput: int | None = None
    spot: bool = False
    others: tuple[str, ...] = ()
    or_on_demand: bool = False
    max_price: float | None = None
    machine_role: str = ""

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Shape:
        """Parse a shape from JSON, where ``machine_role`` may be "profile". Raises TypeError."""
        kept = {"machine_role" if key == "profile" else key: raw[key] for key in raw}
        if isinstance(kept.get("others"), list):
            kept["others"] = tuple(kept["others"])
        return cls(**kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A number of instances of one role; ``fingerprint`` changes with what they are set up as.

    ``least`` of them are enough where the cloud has no room for more; all, if None.
    """

    role: Role
    count: int
    shape: Shape
    fingerprint: str = ""
    least: int | None = None


EVERY = 0  # the port of a rule for all ports
RuleOf = Literal["file", "me", "colleague", "somebody", "hand"]
"""Whom a rule lets in: a network of the file; by their own address whoever runs roost, somebody
else, or one of the two (an older roost did not say); or it was made by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The right to reach a port: ``source`` is a CIDR, or ``"caller"`` for whoever runs roost.

    ``cidr`` is what is open in the cloud, "" for a rule that is only wanted. A rule for ``EVERY``
    port can have a firewall's name as its source: the machines behind it.
    """

    port: int
    source: str
    cidr: str = field(default="", compare=False)
    of: RuleOf = field(default="file", compare=False)

    @property
    def text(self) -> str:
        """Return the rule for people: ``"port 443 from anywhere"``."""
        if self.firewall:  # a gateway's is the only one with a dot in its name
            return f"all ports from {'the gateway' if '.' in self.firewall else 'each other'}"
        network = self.cidr or self.source
        named = {"0.0.0.0/0": "anywhere", "::/0": "anywhere by IPv6", "caller": "your address"}
        return f"port {self.port} from {named.get(network, network)}"

    @property
    def firewall(self) -> str:
        """Return the firewall whose machines it lets in; "" where it lets in a network."""
        is_network = self.port != EVERY or self.source == "caller" or "/" in self.source
        return "" if is_network else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """The public SSH key of the user."""

    name: str
    kind: Kind = "key-pair"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """The firewall around all of a name, or a gateway's; ``alone``: its machines stay apart."""

    name: str
    rules: tuple[Rule, ...] = ()
    alone: bool = field(default=False, compare=False)
    id: str = field(default="", compare=False)
    kind: Kind = "security-group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A data volume. ``holder`` is the instance it belongs on; ``size_gib`` is GiB.

    A wish without ``type`` leaves that to the cloud. ``slot`` is its place among the holder's
    volumes (from 0); ``snapshot`` the id of what it is made from; ``warm`` the MiB/s at which it is
    then read in. ``copy_of`` is the id of the volume whose copy in S3 it is made for: it is made
    empty, and filled later. ``adopted``: it was there before roost, which never deletes it.
    ``attached_at`` is in seconds since 1970. ``note`` is the cloud's own word where the state is
    failed or unknown, or where detaching does not end; else why it cannot be changed now.
    """

    name: str
    size_gib: float
    type: str
    holder: str
    mount: str
    iops: int | None = None
    throughput: int | None = None
    slot: int = 0
    snapshot: str = ""
    copy_of: str = ""
    warm: int | None = None
    adopted: bool = False
    id: str = ""
    state: VolumeState = "available"
    attached_at: float = 0
    note: str = ""
    kind: Kind = "volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One machine. ``note`` is its progress, or why it failed; ``address`` is where to reach it.

    ``started`` is when it was last started, in seconds since 1970; 0: unknown. ``health`` is what
    the cloud says is wrong with the machine itself; "" where nothing is known. ``billed``: it is
    off, and costs as if it ran; to stop it ends that. ``aside``: a spare has taken its place.
    ``unsaved``: why no image can be made of its disk; "" where one can.
    """

    name: str
    role: Role
    shape: Shape
    fingerprint: str = ""
    id: str = ""
    state: InstanceState = "pending"
    address: str | None = None
    private: str | None = None
    note: str = ""
    started: float = 0
    health: str = field(default="", compare=False)
    billed: bool = field(default=False, compare=False)
    aside: bool = field(default=False, compare=False)
    unsaved: str = field(default="", compare=False)
    kind: Kind = "instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A public address that stays the same (an Elastic IP), held by one instance."""

    name: str
    holder: str
    id: str = ""
    ip: str | None = None
    attached: bool = False
    kind: Kind = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A copy of a data volume. Its ``name`` is the cloud's id: a volume can have several.

    ``volume`` is the volume's name, ``source`` its id, ``used_gib`` how much was written to it.
    ``sealed``: nothing could write to the volume, and nobody has been let near it since. ``taken``:
    begun then, in seconds since 1970. ``note``: the cloud's word for an unusable or unknown state.
    """

    name: str
    volume: str
    source: str
    size_gib: float
    state: CopyState
    sealed: bool
    taken: float
    used_gib: float | None = None
    tier: Tier = "standard"
    note: str = ""
    kind: Kind = "snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Copy:
    """A verified copy of a data volume's files in S3. There is one of each volume at most.

    ``name`` is the volume's name, ``source`` the id of the volume that it was made of, or that was
    filled from it. Its files are below ``place``; ``tree`` is the key of the object there, with
    the checksum ``sha256``, that lists all of them with their owners, modes and times.
    ``region`` and ``endpoint`` say which S3 it is in (``""``: Amazon's). ``sealed``: it holds all
    that is on the volume, and nobody has been let near it since. ``since`` is when the machine was
    last started, or the volume attached, before the copy was proven; ``taken`` orders it among the
    snapshots. Both are the cloud's own times: a computer whose clock is wrong proves nothing.
    """

    name: str
    source: str
    place: str
    tree: str
    sha256: str
    size_gib: float
    used_gib: float
    since: float
    taken: float
    sealed: bool
    region: str = ""
    endpoint: str = ""

    @property
    def description(self) -> str:
        """Return for example ``"data of volume data: s3://..., 12.5 GiB"``."""
        return f"data of volume {self.name}: {self.place}, {self.used_gib:g} GiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A copy of the disk that an instance boots from. Its ``name`` is the cloud's id.

    ``instance`` is the instance's name, ``source`` its id, ``type`` the type that it was; ``taken``
    in seconds since 1970. ``note``: the cloud's word for an unusable or unknown state.
    """

    name: str
    instance: str
    source: str
    state: CopyState
    taken: float
    type: str = ""
    note: str = ""
    kind: Kind = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that a parked name comes back from, as the record of the name keeps it.

    ``name`` is the volume's, or that of the instance whose disk it is; ``id`` the cloud's id of the
    copy; ``taken`` when it was begun, in seconds since 1970. Sizes are 0 where they are not known.
    ``trouble`` is not recorded: what the last look found in place of a copy that cannot be used.
    """

    kind: Literal["snapshot", "image"]
    name: str
    id: str
    taken: float
    size_gib: float = 0
    used_gib: float = 0
    trouble: str = field(default="", compare=False)

    @property
    def subject(self) -> str:
        """Return what it is a copy of: ``"volume data"``, ``"the disk of desktop"``."""
        return f"volume {self.name}" if self.kind == "snapshot" else f"the disk of {self.name}"

    @property
    def description(self) -> str:
        """Return for example ``"snapshot snap-1, 500 GiB, made 2026-11-02 14:05 UTC"``."""
        made = datetime.fromtimestamp(self.taken, UTC)
        size = f", {self.size_gib:g} GiB" if self.size_gib else ""
        return f"{self.kind} {self.id}{size}, made {made:%Y-%m-%d %H:%M} UTC"


Resource = KeyPair | SecurityGroup | Volume | Instance | Address | Snapshot | Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All that one spec wants; ``record`` is it as JSON, kept in the cloud for any computer.

    ``public``: machines have a public address while they run.
    """

    name: str
    groups: tuple[Group, ...]
    record: str
    key_pairs: tuple[KeyPair, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    volumes: tuple[Volume, ...] = ()
    addresses: tuple[Address, ...] = ()
    public: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that a cloud has of one name, as one ``observe`` saw it.

    ``backups`` are the copies that the record names, also those that are not there any more;
    ``backups_unread``: the record names some that cannot be read. ``foreign`` carries the name's
    tag all the same, and is never changed. ``owner`` is None where nobody is noted, or the cloud
    has no owners; ``unowned``: the record has room for one. ``launched`` are the ids of what this
    process launched. ``whole_copies``: a copy of a volume holds all of it, and is made once no
    machine holds the volume.
    """

    name: str
    record: str | None = None
    key_pairs: tuple[KeyPair, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    volumes: tuple[Volume, ...] = ()
    instances: tuple[Instance, ...] = ()
    addresses: tuple[Address, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    images: tuple[Image, ...] = ()
    s3_copies: tuple[S3Copy, ...] = ()
    backups: tuple[Backup, ...] = ()
    backups_unread: bool = False
    foreign: tuple[Foreign, ...] = ()
    owner: Owner | None = None
    unowned: bool = False
    launched: frozenset[str] = frozenset()
    whole_copies: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Return everything, in the order of creation."""
        first: tuple[Resource, ...] = (*self.key_pairs, *self.security_groups, *self.volumes)
        return (*first, *self.instances, *self.addresses, *self.snapshots, *self.images)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Return the instances with their states: ``("head (running)", "worker-1 (failed)")``."""
        return tuple(f"{i.name} ({i.state})" for i in self.instances)

    @property
    def empty(self) -> bool:
        """Tell whether nothing of that name exists."""
        return self.record is None and not self.resources
