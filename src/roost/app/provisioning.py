"""Set machines up once the cloud has made them, and watch until they are ready."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from roost.app.given import given
from roost.app.kept import drop, kept_of
from roost.errors import PartlyDoneError, RoostError, SetupError, command_line
from roost.model import nodes
from roost.model.record import read_record
from roost.model.resources import GATEWAY
from roost.model.steps import shorten
from roost.plan.gateway import behind_gateway
from roost.ssh.connection import host_keys_of, write_config
from roost.ssh.tunnel import renew

if TYPE_CHECKING:
    from roost.app.people import People
    from roost.model.limits import Limits
    from roost.model.resources import Instance, State
    from roost.providers.machine_rights import RightsHandout
    from roost.providers.provider import Cloud
    from roost.provision.archive import Packed
    from roost.provision.bundle import Part
    from roost.provision.machines import Machines, News
    from roost.recipes.base import UploadSource
    from roost.session import Session
    from roost.spec import Spec

ASIDE = "set aside: a spare has its place"


def settle(
    session: Session,
    cloud: Cloud,
    state: State,
    *,
    fresh: bool,
    boots: Mapping[str, str] | None = None,
    only: frozenset[str] | None = None,
) -> dict[str, Limits]:
    """Wait until every machine that runs is set up; return what stops each, as far as it says.

    Raises SetupError, naming those that are not set up.
    ``fresh``: with the project and other files as they are on this computer now; else as they
    were brought before, where they were. ``boots`` must be over first, by node. ``only`` these
    machines, of a name whose machines share nothing.
    """
    from roost.app.met import remember
    from roost.app.passwords import keep_passwords
    from roost.provision.deliver import hand_over
    from roost.provision.machines import Machines
    from roost.spec import from_json

    remember(cloud, state)
    recorded = read_record(state.record)
    if recorded.kind == "cluster":
        only = None  # workers need what their head makes
    elif only is not None and recorded.makes_gateway:
        only |= {GATEWAY}  # it must know where they are now
    up = (i for i in state.instances if i.state == "running" and i.address)
    instances = tuple(i for i in up if only is None or i.name in only)
    if cloud.can.shell is not None or not instances or state.record is None:
        return {}
    spec = from_json(state.record)
    # Restore before programs need the data; wait first for machines that are restarting.
    missing_data = None if boots else data_restored(session, cloud, state)
    session.say("(set-up continues on the machines; Ctrl-C only stops watching)")
    with (
        tempfile.TemporaryDirectory(prefix="roost-") as folder,
        session.reporter.machines(f"set up {state.name}", len(instances)) as watch,
    ):
        machines = Machines(state, host_keys_of(cloud, session.say), watch)
        provisioner = Provisioner(
            machines,
            spec,
            fresh,
            Path(folder),
            given(cloud, state.name),
            session.say,
            key_pairs=key_pairs_of(cloud, spec),
            rights=rights.begin(spec, state) if (rights := cloud.can.machine_rights) else None,
        )
        try:
            ends = hand_over(machines, instances, provisioner.part, boots or {})
        except KeyboardInterrupt:
            again = command_line("roost", "up", state.name)
            session.say(f"\nset-up continues on the machines; `{again}` watches it again")
            raise
    keep_passwords(session, cloud, state, {n for n, news in ends.items() if news.state == "ready"})
    if provisioner.rights is not None:
        end_rights(session, provisioner.rights, ends)
    if boots:
        missing_data = data_restored(session, cloud, state)
    for name in (name for name, news in ends.items() if news.state == "ready"):
        drop(state.name, name)  # the machine has what was kept for it
    if spec.env:
        renew(host.control for host in write_config(state).values())
    raise_failed(state, ends)
    if missing_data is not None:
        raise missing_data
    return {name: news.limits for name, news in ends.items() if news.limits is not None}


def end_rights(session: Session, rights: RightsHandout, ends: Mapping[str, News]) -> None:
    """Delete rights that were replaced; say which machines will go on costing once they stop."""
    ready = {name: news for name, news in sorted(ends.items()) if news.state == "ready"}
    for note in rights.end(frozenset(ready)):
        session.say(f"note: {note}")
    if troubled := {name: news.trouble for name, news in ready.items() if news.trouble}:
        session.say(
            f"note: {shorten(tuple(troubled))} will be powered off when it stops by"
            f" itself, and may go on costing: {next(iter(troubled.values()))}"
        )


def key_pairs_of(cloud: Cloud, spec: Spec) -> Mapping[str, str]:
    """Return the public keys that the file names by their names in the cloud. Raises RoostError."""
    from roost.providers.provider import need

    names = spec.access.key_pairs(spec.cloud)
    if not names:
        return {}
    return need(cloud.can.key_pairs, "look up key pairs", cloud).public_keys(names)


def data_restored(session: Session, cloud: Cloud, state: State) -> PartlyDoneError | None:
    """Bring back what is in S3; return the error for what is missing, to raise after set-up."""
    from roost.parking.restore import restore_data

    try:
        restore_data(session, cloud, state)
    except PartlyDoneError as error:
        return error
    return None


def set_ups(session: Session, cloud: Cloud, state: State) -> tuple[State, dict[str, Limits]]:
    """Return the state with each machine's set-up as its note, and what stops each machine.

    Of a silent machine neither is known.
    """
    from roost.provision.deliver import glance
    from roost.provision.machines import Machines

    if cloud.can.shell is not None:
        return state, {}
    looks = glance(Machines(state, host_keys_of(cloud, session.say), lambda _: None))
    instances = tuple(
        replace(
            i,
            note="; ".join(
                n for n in (i.note, ASIDE if i.aside else "", looks.get(i.name, ("", None))[0]) if n
            ),
        )
        for i in state.instances
    )
    limits = {name: held for name, (_, held) in looks.items() if held is not None}
    return replace(state, instances=instances), limits


def boots_of(
    session: Session, cloud: Cloud, state: State, nodes: tuple[str, ...]
) -> dict[str, str]:
    """Return which boot each of these machines is in; those that do not answer are left out."""
    from roost.provision.machines import Machines

    machines = Machines(state, host_keys_of(cloud, session.say), lambda _: None, patience=15)
    boots = {}
    for instance in state.instances:
        if instance.name in nodes and instance.address:
            try:
                boots[instance.name] = machines.peek(instance).boot
            except RoostError as error:
                session.say(f"note: {error.what}")
    return boots


@dataclass(slots=True)
class Provisioner:
    """All that this computer uploads to machines, found once and packed once.

    ``allowed`` are the files that may leave it: the spec comes from the cloud.
    """

    machines: Machines
    spec: Spec
    fresh: bool
    folder: Path
    allowed: frozenset[Path]
    say: Callable[[str], None]
    packed: dict[str, Packed] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    key_pairs: Mapping[str, str] = field(default_factory=dict)
    rights: RightsHandout | None = None
    people: People | None = None
    _packing: threading.Lock = field(default_factory=threading.Lock)

    def part(
        self, instance: Instance, held: str, uploads: Mapping[str, str], shared: Mapping[str, str]
    ) -> Part:
        """Return what a machine gets, which holds the right ``held`` (an id) on itself.

        The main machine has ``uploads`` (key -> checksum), and made what is ``shared``.
        """
        from roost.providers.machine_rights import MachineRight
        from roost.provision.bundle import Part
        from roost.recipes.base import Context
        from roost.recipes.registry import handover_of, secrets_of, uploads_of
        from roost.recipes.rented import limits_of

        outside = instance.role == GATEWAY  # it gets neither files nor others' secrets
        with self._packing:  # seats ask at the same time
            for key, source in ({} if outside else uploads_of(self.spec)).items():
                if key not in self.checksums:
                    self.checksums[key] = self._checksum(key, source, uploads)
        instances = self.machines.state.instances
        context = Context(
            node=instance.name
            if self.spec.kind == "classroom" and self.spec.access.makes_gateway
            else "",
            workers=tuple(i.name for i in instances if i.role == "worker"),
            behind=tuple(i.private for i in behind_gateway(instances) if i.private),
            seats={
                nodes.number_of(i.name): i.private
                for i in instances
                if i.role == "seat" and i.private
            },
            uploads=dict(self.checksums),
            key_pairs=self.key_pairs,
            seat_keys=self._seat_keys(instance),
        )
        secrets = {
            name: path.read_bytes()
            for name, path in secrets_of(self.spec).items()
            if path.absolute() in self.allowed and path.is_file()
        }
        right = self.rights.right(instance, held) if self.rights else MachineRight()
        handover = replace(
            handover_of(self.spec, instance.role, context),
            limits=limits_of(self.spec, instance.role, {i.role: i.shape.type for i in instances}),
            right=right.id,
        )
        if outside:
            return Part(handover, self._file, right.secrets)
        kept = kept_of(self.spec.name, instance.name)
        own = kept.secrets if kept is not None else {}
        brought: dict[str, str | bytes] = {**secrets, **shared, **right.secrets, **own}
        return Part(handover, self._file, brought)

    def _seat_keys(self, instance: Instance) -> tuple[str, ...] | None:
        """Return the key of whoever has the seat; None where the table of people is not here.

        A gateway has those of all: each leads on to its own seat, and to nothing else.
        """
        from roost.app.people import people_of
        from roost.recipes.people import only_to

        if self.spec.kind != "classroom":
            return None
        with self._packing:
            if self.people is None:
                self.people = people_of(self.spec, self.allowed, self.say)
        if not self.people.known:
            return None
        if instance.role == GATEWAY:
            seats = [i for i in self.machines.state.instances if i.role == "seat" and i.private]
            return tuple(only_to(i.private, key) for i in seats for key in self._key_of(i))
        return self._key_of(instance)

    def _key_of(self, instance: Instance) -> tuple[str, ...]:
        person = self.people.at(instance.name) if self.people is not None else None
        return (person.key,) if person is not None and person.key else ()

    def _checksum(self, key: str, source: UploadSource, on_main: Mapping[str, str]) -> str:
        """Pack an upload and return its checksum; or take the one that the main machine has."""
        from roost.provision.archive import pack

        allowed = source.path.absolute() in self.allowed
        if key in on_main and not (self.fresh and allowed and source.path.exists()):
            return on_main[key]
        if not allowed:
            raise RoostError(
                f"the record of {self.spec.name} names {source.path}, which `roost up` was never"
                " given for it on this computer; others can write that record, so nothing is sent",
                exists=self.machines.state.conditions,
                next=command_line("roost", "up", "FILE") + "   (your own file)",
            )
        if not source.path.exists():
            raise RoostError(
                f"{source.path} is not on this computer, and not on the machines",
                next=command_line("roost", "up", self.spec.name) + "   (where it is)",
            )
        packed = pack(source, self.folder)
        if packed.left_out:
            names = ", ".join(packed.left_out)
            self.say(
                f"left out of {source.path.name}, because it looks like a secret: {names}"
                + (
                    " (to take it along: name the file itself in `files`)"
                    if key.startswith("setup-")
                    else f" (to take it along: [environment] secrets ="
                    f" {json.dumps(packed.left_out[:1])})"
                )
            )
        self.packed[packed.sha256] = packed
        return packed.sha256

    def _file(self, sha256: str) -> Packed:
        """Return an upload from here, or from the main machine, which got it from elsewhere."""
        from roost.provision.deliver import brought

        with self._packing:
            if sha256 not in self.packed:
                self.packed[sha256] = brought(self.machines, sha256, self.folder)
            return self.packed[sha256]


def raise_failed(state: State, ends: Mapping[str, News]) -> None:
    """Raise SetupError with the last lines of every machine whose set-up failed, if any."""
    failed = {name: news for name, news in sorted(ends.items()) if news.state == "failed"}
    if not failed:
        return
    logs = ["\n    ".join((f"{name}: {news.text}", *news.log)) for name, news in failed.items()]
    ready = len(ends) - len(failed)
    up, down = command_line("roost", "up", state.name), command_line("roost", "down", state.name)
    follow = command_line("roost", "logs", state.name, "NODE", "--follow")
    raise SetupError(
        "set-up failed on " + "\n".join(logs) + (f"\n{ready} others are ready" if ready else ""),
        exists=state.conditions,
        next=f"{up}   (tries again; `{follow}` says more, `{down}` removes)",
    )
