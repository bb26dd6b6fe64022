"""After the cloud has done its part: machines get theirs, and are followed until they are ready."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from roost.errors import PartlyDoneError, RoostError, SetupError, command_line
from roost.ssh.connection import host_keys_of

if TYPE_CHECKING:
    from roost.model.resources import Role, State
    from roost.providers.provider import Cloud
    from roost.provision.archive import Packed
    from roost.provision.bundle import Part
    from roost.provision.machines import Machines, News
    from roost.recipes.base import UploadSource
    from roost.session import Session
    from roost.spec import Spec


def settle(
    session: Session,
    cloud: Cloud,
    state: State,
    *,
    fresh: bool,
    boots: Mapping[str, str] | None = None,
) -> None:
    """Wait until every machine that runs is ready. Raises SetupError, naming those that are not.

    ``fresh``: with the project and other files as they are on this computer now; else as they
    were brought, where they were. ``boots`` are to be over first, by node.
    """
    from roost.provision.deliver import hand_over
    from roost.provision.machines import Machines
    from roost.spec import from_json

    instances = tuple(i for i in state.instances if i.state == "running" and i.address)
    if cloud.can.shell is not None or not instances or state.record is None:
        return
    spec = from_json(state.record)
    late = None if boots else _data(session, cloud, state)  # before programs begin that need it
    session.say("(from here the machines go on by themselves; Ctrl-C leaves them at it)")
    with (
        tempfile.TemporaryDirectory(prefix="roost-") as place,
        session.reporter.machines(f"set up {state.name}", len(instances)) as watch,
    ):
        machines = Machines(state, host_keys_of(cloud, session.say), watch)
        parts = Bringing(machines, spec, fresh, Path(place))
        try:
            ends = hand_over(machines, instances, parts.part, boots or {})
        except KeyboardInterrupt:
            session.say(f"\nleft as it is; `{command_line('roost', 'up', state.name)}` waits again")
            raise
    if boots:  # before this they were about to go off
        late = _data(session, cloud, state)
    _raise_failed(state, ends)
    if late is not None:
        raise late


def _data(session: Session, cloud: Cloud, state: State) -> PartlyDoneError | None:
    """Bring back what is in S3; what is not all back is said when all else is done."""
    from roost.parking.s3 import bring_data

    try:
        bring_data(session, cloud, state)
    except PartlyDoneError as error:
        return error
    return None


def set_ups(session: Session, cloud: Cloud, state: State) -> State:
    """With how far each machine's set-up is as its note; a machine that is silent has none."""
    from roost.provision.deliver import glance
    from roost.provision.machines import Machines

    if cloud.can.shell is not None:
        return state
    found = glance(Machines(state, host_keys_of(cloud, session.say), lambda _: None))
    instances = tuple(
        replace(i, note="; ".join(n for n in (i.note, found.get(i.name, "")) if n))
        for i in state.instances
    )
    return replace(state, instances=instances)


def boots_of(
    session: Session, cloud: Cloud, state: State, nodes: tuple[str, ...]
) -> dict[str, str]:
    """Which boot each of these machines is in; those that do not answer at once are left out."""
    from roost.provision.machines import Machines

    machines = Machines(state, host_keys_of(cloud, session.say), lambda _: None, patience=15)
    found = {}
    for instance in state.instances:
        if instance.name in nodes and instance.address:
            try:
                found[instance.name] = machines.peek(instance).boot
            except RoostError as error:
                session.say(f"note: {error.what}")
    return found


@dataclass(slots=True)
class Bringing:
    """What this computer brings: found once, and packed once."""

    machines: Machines
    spec: Spec
    fresh: bool
    place: Path
    packed: dict[str, Packed] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def part(self, role: str, uploads: Mapping[str, str], shared: Mapping[str, str]) -> Part:
        """The part of a role's machines; ``uploads`` (key -> checksum) are on the main machine."""
        from roost.provision.bundle import Part
        from roost.recipes.base import Context
        from roost.recipes.registry import handover_of, secrets_of, uploads_of

        for key, source in uploads_of(self.spec).items():
            if key not in self.keys:
                self.keys[key] = self._found(key, source, uploads)
        workers = tuple(i.name for i in self.machines.state.instances if i.role == "worker")
        context = Context(workers=workers, uploads=dict(self.keys))
        made = handover_of(self.spec, cast("Role", role), context)
        own = {n: path.read_bytes() for n, path in secrets_of(self.spec).items() if path.is_file()}
        return Part(made, self._file, {**own, **shared})

    def _found(self, key: str, source: UploadSource, there: Mapping[str, str]) -> str:
        from roost.provision.archive import pack

        if key in there and (not self.fresh or not source.path.exists()):
            return there[key]
        if not source.path.exists():
            raise RoostError(
                f"{source.path} is not on this computer, and not on the machines",
                next=command_line("roost", "up", self.spec.name) + "   (where it is)",
            )
        packed = pack(source, self.place)
        self.packed[packed.sha256] = packed
        return packed.sha256

    def _file(self, sha256: str) -> Packed:
        """From here; else from the main machine, which got it from another computer."""
        from roost.provision.deliver import brought

        if sha256 not in self.packed:
            self.packed[sha256] = brought(self.machines, sha256, self.place)
        return self.packed[sha256]


def _raise_failed(state: State, ends: Mapping[str, News]) -> None:
    failed = {name: news for name, news in ends.items() if news.state == "failed"}
    if not failed:
        return
    parts = []
    for name, news in sorted(failed.items()):
        log = "".join(f"\n    {line}" for line in news.log)
        parts.append(f"{name}: {news.text}{log}")
    ready = len(ends) - len(failed)
    raise SetupError(
        "set-up failed on " + "\n".join(parts) + (f"\n{ready} others are ready" if ready else ""),
        exists=state.conditions,
        next=f"{command_line('roost', 'up', state.name)}   (tries again;"
        f" `{command_line('roost', 'logs', state.name, 'NODE', '--follow')}` says more,"
        f" `{command_line('roost', 'down', state.name)}` removes)",
    )
