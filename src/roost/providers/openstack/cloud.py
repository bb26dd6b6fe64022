"""OpenStackCloud: one site of OpenStack as a cloud. One look is a fixed number of calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roost.errors import NotYetError
from roost.home import check_name
from roost.model import nodes
from roost.model.owner import Owner
from roost.model.record import read_record
from roost.model.resources import Instance, State
from roost.model.steps import (
    Create,
    Delete,
    Forget,
    OpenRules,
    Record,
    RecordBackups,
    Step,
    describe,
)
from roost.model.summary import Summary
from roost.providers.callers import Caller
from roost.providers.hold import hold
from roost.providers.openstack import (
    copies,
    flavors,
    images_lookup,
    ledger,
    machine_right,
    marks,
    observe,
    parse,
    resize,
)
from roost.providers.openstack.client import Site
from roost.providers.openstack.create import Maker
from roost.providers.openstack.failures import CallError, known, translated
from roost.providers.openstack.images import store
from roost.providers.openstack.keeper import Callers, Keeper
from roost.providers.openstack.launch import Launch
from roost.providers.openstack.listing import summaries
from roost.providers.openstack.machine_right import ServerRights
from roost.providers.openstack.memory import Memory
from roost.providers.openstack.observe import Look
from roost.providers.openstack.offers import Offers, needs_way_in, read_table
from roost.providers.openstack.s3_copies import SiteCopies
from roost.providers.openstack.storage import Disks, is_about_disks
from roost.providers.openstack.update import Changes, Retirer, no_retiring
from roost.providers.provider import Capabilities

if TYPE_CHECKING:
    from roost.cost.ledger import Ledger
    from roost.cost.spent import There
    from roost.spec.openstack import OpenStack

Booter = Callable[[str, str, Instance, str | None, Sequence[str]], bytes]
"""User-data from the record, the names of a launch, one of its instances, the head's private
address, and the slots of its data volumes."""
LONGEST_WAIT, SHORTEST_WAIT = 10.0, 1.0
LONGEST_LOG = 2000
"""Lines of a console that are asked for at most."""


@dataclass(slots=True)
class OpenStackCloud:
    """Fulfils ``roost.providers.provider.Cloud`` in one project of a site.

    ``region`` is what roost calls the place; ``caller`` gives the CIDR of the user's own address,
    ``public_key`` the user's public SSH key; ``locks`` is where roosts of this computer meet;
    ``boot`` gives what machines are started with; ``retire`` lets workers hand over to others;
    ``table`` is the file's, else the record has it.
    """

    site: Site
    region: str
    caller: Callable[[], str]
    public_key: Callable[[], bytes]
    locks: Path
    table: OpenStack | None = None
    boot: Booter | None = None
    retire: Retirer = no_retiring
    sleep: Callable[[float], None] = time.sleep
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    name: str = "openstack"
    _memories: dict[str, Memory] = field(default_factory=dict)
    offers: Offers = field(init=False)

    def __post_init__(self) -> None:
        """Ask the site nothing yet."""
        self.offers = Offers(self.site, self.table)

    def _memory(self, name: str) -> Memory:
        """Return a name's memory. Raises UsageError for no name."""
        check_name(name)
        return self._memories.setdefault(name, Memory())

    @property
    def can(self) -> Capabilities:
        """What roost can do on OpenStack beyond the protocol."""
        return Capabilities(
            rents=True,
            host_keys=self,
            preflight=self.offers,
            remains=self,
            s3_copies=SiteCopies(),
            owners=self,
            fitting=self.offers,
            history=self,
            resizing=self,
            machine_rights=ServerRights(self.site),
            images=store.GlanceImages(
                self.site,
                self.region,
                partial(self.offers.network, public=False),
                self.offers.every_flavor,
                self.sleep,
                self.wall,
            ),
        )

    # --- looking -----------------------------------------------------------------------------

    def observe(self, name: str) -> State:
        """Return everything of one name.

        Raises CloudError for servers of this process that the site could not make, and deletes
        these: another launch would end like it.
        """
        memory = self._memory(name)
        with translated(f"look at {name}"):
            state = Look(self.site, memory, name, self._who).state()
            failed = [
                one
                for one in memory.described["instance"]
                if one["id"] in memory.begun and parse.never_ran(one)
            ]
            if failed:
                raise Launch(self._maker(name, memory), ()).give_up(failed, failed)
        return state

    @property
    def account(self) -> tuple[str, ...]:
        """The project, and where it is: two entries of clouds.yaml can lead to it."""
        with translated(f"look at {self.region}"):
            return self.site.identity

    def summaries(self) -> tuple[Summary, ...]:
        """Return every name in this project, also those of which only the record is left."""
        with translated("list what roost has"):
            return summaries(self.site, self.region)

    def host_keys(self, name: str, instance: str) -> tuple[str, ...]:
        """Return the instance's SSH host keys from its console; () where it shows none yet."""
        from roost.providers.console import host_keys

        return host_keys(self._console(name, instance, LONGEST_LOG))

    def logs(self, name: str, instance: str, lines: int) -> str:
        """Return the end of the console's output, as far as Nova has it."""
        text = self._console(name, instance, min(lines, LONGEST_LOG))
        return "\n".join(text.splitlines()[-lines:])

    def _console(self, name: str, instance: str, lines: int) -> str:
        one = self._memory(name).id(name, "instance", instance)
        asked = {"os-getConsoleOutput": {"length": lines}}
        try:
            answer = self.site.post("compute", f"/servers/{one}/action", asked)
        except CallError as error:
            if error.kind in ("pending", "absent", "old site"):  # shelved, or without a console
                return ""
            raise known(error, f"read the console of {instance}") from error
        return str((answer or {}).get("output") or "")

    def remains(self, state: State) -> tuple[str, ...]:
        """Return what carries the name's mark and is not in ``state``, as ``"kind id"``.

        All servers of the project are looked through, also those that lost roost's tag.
        """
        known_ids = {i.id for i in state.instances} | {v.id for v in state.volumes}
        known_ids |= {a.id for a in state.addresses} | {g.id for g in state.security_groups}
        known_ids |= {s.name for s in state.snapshots} | {i.name for i in state.images}
        known_ids |= {one.id for one in state.foreign} | {self._memory(state.name).kept.id}
        with translated(f"look for what is left of {state.name}"):
            every = self.site.every("compute", "/servers/detail", "servers", [observe.PAGE])
            servers = [
                s
                for s in every
                if marks.metadata(s).get(marks.NAME) == state.name
                and s.get("status") not in parse.GONE
            ]
            found = {
                "server": servers,
                "volume": observe.volumes(self.site, state.name),
                "floating address": observe.floats(self.site, state.name),
                "security group": observe.groups(self.site, state.name),
                "image": copies.find(self.site, state.name),
            }
        return tuple(
            f"{kind} {one['id']}"
            for kind, listed in found.items()
            for one in listed
            if one["id"] not in known_ids
        )

    def wait(self, name: str, since: float) -> None:
        """Wait longer the longer it takes: half as long again each time."""
        del name
        self.sleep(min(LONGEST_WAIT, SHORTEST_WAIT + since / 2))

    @contextmanager
    def hold(self, name: str, what: str) -> Iterator[None]:
        """Hold the name: one roost of this computer at a time; marks protect the rest."""
        place = self.region.replace("/", "-")
        with hold(self.locks / f".{place}-{name}.lock", name, what):
            self._memories.pop(name, None)
            yield

    def history(self, name: str, moment: datetime) -> tuple[Ledger, There]:
        """Return the ledger of a name, from its record, and what exists now."""
        with translated(f"look at what {name} has had"):
            state, memory = self.observe(name), self._memory(name)
            return ledger.history(self.site, memory, state, int(moment.timestamp()))

    def check_type(self, name: str, instances: tuple[str, ...], new: str) -> None:
        """Raise UsageError where these machines cannot have that flavor."""
        memory = self._memory(name)
        with translated(f"look at {new}"):
            flavor = flavors.named(self.offers.every_flavor(), new)
            ids = [memory.id(name, "instance", one) for one in instances]
            resize.check(self.site, [memory.by_id("instance", one) for one in ids], flavor)
        memory.resized |= set(ids)

    def _image(self, name: str, first: Instance, flavor: flavors.Flavor) -> dict[str, Any]:
        """Return what a machine starts from: what was parked, or baked, or the file's own image."""
        every, memory = self.offers.every_image(), self._memory(name)
        baked = store.for_launch(every, memory.kept.record, first, flavor.disk_gib)
        if baked is not None:
            memory.note(f"{first.role}: starts from image {baked[marks.NODE]}")
        return baked or images_lookup.choose(every, first.shape.image, first.shape.arch)

    # --- effects -----------------------------------------------------------------------------

    def apply(self, name: str, step: Step) -> None:
        """Do one step; each can be done again after a kill in its middle."""
        memory = self._memory(name)
        with translated(describe(step)):
            try:
                self._apply(name, memory, step)
            except NotYetError as error:
                memory.note(f"{describe(step)}: not yet: {error.what}")
                raise

    def _apply(self, name: str, memory: Memory, step: Step) -> None:
        ledger.note(self.site, memory, step, int(self.wall().timestamp()))
        match step:
            case Record(text):
                self._keeper(name, memory).settings(text)
            case RecordBackups(backups):
                self._keeper(name, memory).backups(backups)
            case Create(_, resources):
                self._maker(name, memory).make(resources)
            case OpenRules():
                self._maker(name, memory).open_rules(step)
            case Forget():
                # Whatever the record says: an earlier file may have let its machines have a right.
                machine_right.release(self.site, name, None)
                self._keeper(name, memory).forget()
            case _ if is_about_disks(step):
                users = read_record(memory.kept.record).tags
                Disks(self.site, memory, name, users, self.offers.flavor).apply(step)
            case _:
                network = partial(self.offers.network, public=self._is_public(memory))
                Changes(self.site, memory, name, network, self.retire).apply(step)
                if isinstance(step, Delete) and step.kind == "instance":
                    there = memory.state.instances if memory.state else ()
                    self._release(name, memory, [i for i in there if i.name not in step.names])

    def _release(self, name: str, memory: Memory, left: Sequence[Instance]) -> None:
        """Delete the rights that machines had on themselves and that none of ``left`` can need."""
        remaining = frozenset(one.id for one in left)
        machine_right.release(self.site, name, memory.kept.record, remaining)

    def is_mine(self, owner: Owner, record: str | None) -> bool:
        """Tell whether whoever runs roost may change what is ``owner``'s."""
        return Callers(self.site, self.public_key).mine(owner, record)

    def take_over(self, name: str) -> None:
        """Make whoever runs roost the owner of a name that was looked at. Raises RoostError."""
        with translated(f"take over {name}"):
            self._keeper(name, self._memory(name)).take_over()

    def _keeper(self, name: str, memory: Memory) -> Keeper:
        return Keeper(self.site, memory, name, Callers(self.site, self.public_key))

    def _maker(self, name: str, memory: Memory) -> Maker:
        table = self.offers.table or read_table(memory.kept.record)
        return Maker(
            site=self.site,
            memory=memory,
            name=name,
            network=partial(self.offers.network, public=self._is_public(memory)),
            flavor=self.offers.flavor,
            image=partial(self._image, name),
            caller=self._who,
            public_key=self.public_key,
            users=read_record(memory.kept.record).tags,
            zones=table.zones if table else (),
            user_data=partial(self._user_data, memory.kept.record),
            alone=read_record(memory.kept.record).kind == "classroom",
        )

    @staticmethod
    def _is_public(memory: Memory) -> bool:
        return needs_way_in(read_record(memory.kept.record))

    def _user_data(
        self, record: str | None, instances: tuple[Instance, ...], head: str | None
    ) -> bytes | None:
        if self.boot is None or record is None:
            return None
        names = nodes.launch([i.name for i in instances])
        slots = [str(slot) for slot in range(marks.MOST_SLOTS)]
        return self.boot(record, names, instances[0], head, slots)

    def _who(self, *, address: bool = True) -> Caller:
        """Return who runs roost. Raises RoostError where that cannot be found out."""
        key = Callers(self.site, self.public_key).key()
        return Caller(self.caller() if address else "", key)
