"""A cloud in memory, for tests and docs: as slow, as full and as forgetful as a real one can be.

States take time (they move on at ``wait``), new resources stay invisible for a while, calls can be
throttled, types can run out, and the caller can be killed before or after any effect. It is strict
where EC2 is: what EC2 refuses, it refuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from roost.errors import BusyError, CapacityError, CloudError, ThrottledError, UsageError
from roost.model.nodes import gateway_firewall
from roost.model.resources import (
    GATEWAY,
    Address,
    Instance,
    InstanceState,
    KeyPair,
    Resource,
    SecurityGroup,
    State,
    Volume,
)
from roost.model.steps import (
    Adopt,
    Archive,
    Associate,
    Attach,
    ChangeType,
    CloseRules,
    Create,
    CreateImage,
    CreateSnapshot,
    Delete,
    Disown,
    Forget,
    ForgetCopy,
    MarkStale,
    Modify,
    OpenRules,
    Reboot,
    Record,
    RecordBackups,
    RecordCopy,
    Restore,
    Retire,
    Start,
    Step,
    Stop,
    Swap,
    describe,
)
from roost.model.summary import Summary
from roost.providers.fake.disks import Disks
from roost.providers.fake.firewall import closed, is_referenced, opened
from roost.providers.fake.things import Thing, Things
from roost.providers.fake.weather import Killed, Weather
from roost.providers.provider import Capabilities


@dataclass(slots=True)
class FakeCloud:
    """Fulfils ``roost.providers.provider.Cloud``. ``effects`` counts the effects so far.

    ``capabilities`` instead of its own: so a test makes a cloud that lacks some.
    """

    weather: Weather = field(default_factory=Weather)
    name: str = "fake"
    region: str = ""
    account: tuple[str, ...] = ()
    capabilities: Capabilities | None = None
    effects: int = 0
    now: float = 0
    calls: Counter[str] = field(default_factory=Counter)
    disks: Disks = field(default_factory=Disks)
    things: Things = field(default_factory=Things)
    retired: list[str] = field(default_factory=list)
    _records: dict[str, str] = field(default_factory=dict)
    _holders: dict[str, str] = field(default_factory=dict)

    @property
    def can(self) -> Capabilities:
        """What a cloud in memory can do as a rented one does."""
        if self.capabilities is not None:
            return self.capabilities
        return Capabilities(
            rents=True, archives=True, swaps=True, resizing=self, remains=self, s3_copies=self
        )

    # --- looking -----------------------------------------------------------------------------

    def observe(self, name: str) -> State:
        """Return what can be seen of ``name`` now; what was just created may not be visible yet."""
        self.calls["observe"] += 1
        seen = self.things.look(name)
        return State(
            name=name,
            record=self._records.get(name),
            key_pairs=tuple(r for r in seen if isinstance(r, KeyPair)),
            security_groups=tuple(r for r in seen if isinstance(r, SecurityGroup)),
            volumes=tuple(r for r in seen if isinstance(r, Volume)),
            instances=tuple(r for r in seen if isinstance(r, Instance)),
            addresses=tuple(r for r in seen if isinstance(r, Address)),
            snapshots=self.disks.snapshots_of(name),
            images=self.disks.images_of(name),
            s3_copies=self.disks.s3_copies_of(name),
            backups=self.disks.backups.get(name, ()),
        )

    @property
    def lost(self) -> list[str]:
        """Volumes that were deleted with content that is in no completed snapshot."""
        return self.disks.lost

    def summaries(self) -> tuple[Summary, ...]:
        """Return a row for every name that has anything."""
        self.calls["summaries"] += 1
        return tuple(self._summary(name) for name in sorted({*self._records, *self.things.names()}))

    def _summary(self, name: str) -> Summary:
        states: Counter[str] = Counter(i.state for i in self.things.all(name, Instance))
        return Summary(name=name, kind="", cloud=self.name, states=dict(states))

    def logs(self, name: str, instance: str, lines: int) -> str:
        """Return the one line of a broken instance, or its name."""
        return "E: set-up failed" if instance in self.weather.broken else f"{instance} of {name}"

    # --- capabilities ------------------------------------------------------------------------

    def check_type(self, name: str, instances: tuple[str, ...], new: str) -> None:
        """Raise UsageError where the cloud has none of that type."""
        if self.weather.capacity.get(new, 1) < 0:
            raise UsageError(f"{', '.join(instances)} of {name} cannot become {new}")

    def remains(self, state: State) -> tuple[str, ...]:
        """Return what there is of the name, visible or not, that is not in ``state``."""
        known = {(r.kind, r.name) for r in state.resources}
        return tuple(
            f"{kind} {one}"
            for (kind, one), thing in self.things.of(state.name).items()
            if (kind, one) not in known and not thing.gone
        )

    def check_room(self, name: str, volumes: tuple[str, ...]) -> None:
        """There is room for as many copies as anybody makes here."""

    @property
    def profile(self) -> str | None:
        """S3 is reached with the credentials of the environment."""
        return None

    # --- time and other people ---------------------------------------------------------------

    def wait(self, name: str, since: float) -> None:
        """Let one unit of time pass for ``name``."""
        self.now += 10
        self._write(name)
        self.disks.wait(name)
        self.things.wait(name, self.weather.broken)

    @contextmanager
    def hold(self, name: str, what: str) -> Iterator[None]:
        """Only one at a time. Raises BusyError."""
        if name in self._holders:
            raise BusyError(f"{name} is held by {self._holders[name]}")
        self._holders[name] = what
        try:
            yield
        finally:
            del self._holders[name]

    # --- effects -----------------------------------------------------------------------------

    def apply(self, name: str, step: Step) -> None:
        """Do one step, unless the weather is against it."""
        number, self.effects = self.effects, self.effects + 1
        self.calls[type(step).__name__] += 1
        if number == self.weather.kill_before:
            raise Killed
        if number in self.weather.throttle:
            raise ThrottledError("RequestLimitExceeded")
        self._do(name, step)
        if number == self.weather.kill_after:
            raise Killed

    def _do(self, name: str, step: Step) -> None:
        self.now += 1
        self._write(name)
        match step:
            case Record(record):
                self._records[name] = record
            case RecordBackups(backups):
                self.disks.backups[name] = backups
            case Forget():
                self._records.pop(name, None)
                self.disks.backups.pop(name, None)
                self.disks.drop(name, [s.name for s in self.disks.s3_copies_of(name)])
            case Create(_, resources):
                self._create(name, resources)
            case Delete(kind, names) if kind not in ("snapshot", "image"):
                for one in names:
                    if not self.things.is_gone(name, kind, one):
                        self._delete(name, kind, one)
            case OpenRules(group, rules):
                thing = self.things.find(name, "security-group", group)
                thing.resource = opened(SecurityGroup(name=group, rules=rules), thing.resource)
            case CloseRules(group, rules):
                thing = self.things.find(name, "security-group", group)
                thing.resource = closed(thing.resource, rules)
            case _:
                self._change(name, step)

    def _write(self, name: str) -> None:
        """Machines that are up write to their disks all the time."""
        up = {
            one.name
            for one in self.things.all(name, Instance)
            if one.state in ("pending", "running", "stopping", "failed")
        }
        self.disks.write(i.id for i in self.things.all(name, Instance) if i.name in up)
        volumes = self.things.all(name, Volume)
        self.disks.write(v.id for v in volumes if v.state == "attached" and v.holder in up)

    def _copy(self, name: str, step: Step) -> None:
        """Snapshots and images."""
        volumes = {v.name: v for v in self.things.all(name, Volume)}
        instances = {i.name: i for i in self.things.all(name, Instance)}
        match step:
            case CreateSnapshot(names, sealed):
                for one in names:
                    self.disks.snap(name, volumes[one], self.now, sealed=sealed)
            case Swap((first, second)):
                self.things.swap(name, first, second)
            case MarkStale(names):
                self.disks.change_snapshots(name, names, sealed=False)
            case Archive(names) | Restore(names):
                tier = "archiving" if isinstance(step, Archive) else "restoring"
                self.disks.change_snapshots(name, names, tier=tier)
            case CreateImage(names):
                for one in names:
                    if instances[one].state != "stopped":
                        raise CloudError(f"IncorrectInstanceState: {one}")
                    self.disks.save(name, instances[one], self.now)
            case Delete(kind, names) if kind in ("snapshot", "image"):
                self.disks.delete(name, names)
            case _:
                raise CloudError(f"{describe(step)}: not on a cloud in memory")

    def _reshape(self, name: str, step: Step) -> None:
        """Other types and sizes."""
        match step:
            case ChangeType(pairs):
                for one, kind in pairs:
                    self._retype(name, one, kind)
            case Modify(volumes):
                for volume in volumes:
                    thing = self.things.find(name, "volume", volume.name)
                    thing.resource = replace(volume, kind="volume")
            case Adopt(volumes):
                for volume in volumes:
                    adopted = replace(volume, adopted=True, state="available")
                    self.things.of(name)["volume", volume.name] = Thing(adopted, 0)
            case Disown(names):
                for one in names:
                    del self.things.of(name)["volume", one]
            case Reboot():
                pass  # nothing of it can be seen afterwards
            case _:
                self._copy(name, step)

    def _retype(self, name: str, one: str, kind: str) -> None:
        thing = self.things.find(name, "instance", one)
        instance = thing.resource
        if not isinstance(instance, Instance) or instance.state != "stopped":
            raise CloudError(f"IncorrectInstanceState: {one}")
        thing.resource = replace(instance, shape=replace(instance.shape, type=kind))

    def _change(self, name: str, step: Step) -> None:
        match step:
            case Start(names):
                self._move(name, names, ("stopped", "failed"), "pending", "running")
            case Stop(names):
                self._move(name, names, ("running", "pending", "failed"), "stopping", "stopped")
            case Retire(names):
                self.retired += names
            case Attach(pairs):
                for volume, instance in pairs:
                    self.things.attach(name, volume, instance, self.now)
            case Associate(addresses):
                for address in addresses:
                    self.things.associate(name, address)
            case RecordCopy(copies):
                self.disks.keep(name, copies)
            case ForgetCopy(names):
                self.disks.drop(name, names)
            case _:
                self._reshape(name, step)

    def _create(self, name: str, resources: tuple[Resource, ...]) -> None:
        self._check_capacity(resources)
        things = self.things.of(name)
        for resource in resources:
            key = (resource.kind, resource.name)
            old = things.get(key)
            if old is not None and not old.gone and not old.seen:
                continue  # the same client token: EC2 answers with what it made the first time
            if old is not None:
                raise CloudError(f"InvalidParameterValue: {resource.name} exists")
            things[key] = self._new(name, resource)

    def _new(self, name: str, resource: Resource) -> Thing:
        blind, delay = self.weather.blind, max(1, self.weather.delay)
        number = self.effects
        if isinstance(resource, Instance):
            one = f"i-{resource.name}-{number}"
            made = replace(resource, id=one, state="pending", started=self.now)
            self.disks.fill(name, one, resource.shape.image)
            return Thing(made, blind, delay, "running")
        if isinstance(resource, Volume):
            one = f"vol-{resource.name}-{number}"
            self.disks.fill(name, one, resource.snapshot)
            self.disks.begin(resource, one)
            return Thing(replace(resource, id=one, state="creating"), 0, delay)
        if isinstance(resource, Address):
            return Thing(replace(resource, id=f"eipalloc-{resource.name}", ip="192.0.2.1"), blind)
        if isinstance(resource, SecurityGroup):
            return Thing(opened(resource), blind)
        return Thing(resource, blind)

    def _check_capacity(self, resources: tuple[Resource, ...]) -> None:
        asked = Counter(r.shape.type for r in resources if isinstance(r, Instance))
        for kind, count in asked.items():
            if count > self.weather.capacity.get(kind, count):
                raise CapacityError(f"InsufficientInstanceCapacity: {kind}")

    def _move(
        self,
        name: str,
        names: tuple[str, ...],
        allowed: tuple[str, ...],
        state: InstanceState,
        then: InstanceState,
    ) -> None:
        for one in names:
            thing = self.things.find(name, "instance", one)
            instance = thing.resource
            if isinstance(instance, Instance) and instance.state in (state, then):
                continue
            if not isinstance(instance, Instance) or instance.state not in allowed:
                raise CloudError(f"IncorrectInstanceState: {one}")
            started = self.now if state == "pending" else instance.started
            if state == "pending":
                held = [v for v in self.things.all(name, Volume) if v.holder == one]
                self.disks.still -= {v.id for v in held}
            thing.resource = replace(instance, state=state, started=started)
            thing.left, thing.then = max(1, self.weather.delay), then

    def _delete(self, name: str, kind: str, gone: str) -> None:
        thing = self.things.find(name, kind, gone)
        if isinstance(thing.resource, Volume):
            self._delete_volume(thing.resource)
        within = {one for kind_, one in self.things.of(name) if kind_ == "instance"}
        within &= {GATEWAY} if gone == gateway_firewall(name) else within
        there = (one.resource for one in self.things.of(name).values())
        if kind == "security-group" and (within or is_referenced(gone, there)):
            raise CloudError("DependencyViolation: the security group is in use")
        if isinstance(thing.resource, Instance):
            self._release(name, gone)
            thing.resource = replace(thing.resource, state="deleting")
            thing.left, thing.then, thing.gone = max(1, self.weather.delay), None, True
        else:
            self.things.drop(name, kind, gone)

    def _delete_volume(self, volume: Volume) -> None:
        if volume.state not in ("available", "failed"):
            raise CloudError(f"VolumeInUse: {volume.name}")
        self.disks.bury(volume)

    def _release(self, name: str, instance: str) -> None:
        """Detach the volumes and addresses of a terminated instance."""
        for thing in self.things.of(name).values():
            held = thing.resource
            if isinstance(held, Volume) and held.state == "attached" and held.holder == instance:
                thing.resource = replace(held, state="available")
            elif isinstance(held, Address) and held.holder == instance:
                thing.resource = replace(held, attached=False)

    # --- the past, for tests -----------------------------------------------------------------

    def crash(self, name: str, instance: str) -> None:
        """Let an instance die by itself."""
        thing = self.things.find(name, "instance", instance)
        if isinstance(thing.resource, Instance):
            thing.resource = replace(thing.resource, state="failed", note="died")
