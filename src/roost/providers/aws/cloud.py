"""AwsCloud: EC2 as a cloud. One look is a fixed number of calls; one step is one batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roost.errors import AccessError
from roost.home import check_name
from roost.model.nodes import launch
from roost.model.owner import Owner, fingerprint
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
from roost.providers.aws import ledger, parse, record, requests, s3_copies, tags
from roost.providers.aws.audit import sweep
from roost.providers.aws.bills import AwsBills
from roost.providers.aws.cache import Memory
from roost.providers.aws.client import Calls
from roost.providers.aws.create import Maker, public_keys
from roost.providers.aws.failures import code_of, kind_of, translated
from roost.providers.aws.images.lookup import find_own
from roost.providers.aws.images.store import AwsImages
from roost.providers.aws.keeper import Keeper
from roost.providers.aws.listing import summaries
from roost.providers.aws.network import Network, check_groups, network_of
from roost.providers.aws.observe import Look
from roost.providers.aws.optional import Unknowns
from roost.providers.aws.ownership import Callers
from roost.providers.aws.resize import check
from roost.providers.aws.storage import DISK_STEPS, Disks
from roost.providers.aws.update import Changes, Retirer, no_retiring
from roost.providers.callers import Caller
from roost.providers.console import host_keys
from roost.providers.hold import hold
from roost.providers.provider import Capabilities

if TYPE_CHECKING:
    from roost.cost.ledger import Ledger
    from roost.cost.spent import There
    from roost.model.finding import Finding
    from roost.model.resources import Wanted
    from roost.spec import Spec

Booter = Callable[[str, str, Instance, str | None, Sequence[str]], bytes]
"""User-data from the record, the names of a launch, one of its instances, the head's private
address, and the device names of data volumes."""
LONGEST_WAIT, SHORTEST_WAIT = 10.0, 0.5


@dataclass(slots=True)
class AwsCloud:
    """Fulfils ``roost.providers.provider.Cloud`` in one account and region.

    ``clients`` gives boto3's client of a service; ``caller`` the CIDR of the user's own address,
    ``public_key`` the user's public SSH key; ``locks`` is where roosts of this computer meet;
    ``boot`` gives what machines are started with; ``retire`` lets workers hand over to others.
    """

    clients: Callable[[str], Any]
    region: str
    caller: Callable[[], str]
    public_key: Callable[[], bytes]
    locks: Path
    profile: str | None = None
    boot: Booter | None = None
    retire: Retirer = no_retiring
    unknowns: Unknowns = field(default_factory=Unknowns)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    name: str = "aws"
    _memories: dict[str, Memory] = field(default_factory=dict)
    _networks: dict[str, Network] = field(default_factory=dict)
    _images: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _public_keys: dict[str, str] = field(default_factory=dict)

    @property
    def ec2(self) -> Any:
        """boto3's client of EC2."""
        return self.clients("ec2")

    @property
    def calls(self) -> Calls:
        """EC2, as roost uses it."""
        return Calls(self.ec2, self.unknowns)

    def _memory(self, name: str) -> Memory:
        """Return a name's memory. Raises UsageError for no name: EC2 takes ``*`` for every name."""
        if name != tags.IMAGES:
            check_name(name)
        return self._memories.setdefault(name, Memory())

    @property
    def can(self) -> Capabilities:
        """All capabilities but those of the own machine."""
        return Capabilities(
            rents=True,
            archives=True,
            swaps=True,
            host_keys=self,
            preflight=self,
            resizing=self,
            history=self,
            bills=AwsBills(self.clients),
            remains=self,
            s3_copies=self,
            owners=self,
            key_pairs=self,
            images=AwsImages(self.calls, self.region, self.sleep, self.wall),
        )

    # --- looking -----------------------------------------------------------------------------

    def observe(self, name: str) -> State:
        """Return everything of one name."""
        memory = self._memory(name)
        with translated(f"look at {name}"):
            state = Look(self.calls, memory, name, self._who).state()
        memory.zone = parse.zone_of(memory.described) or memory.zone
        seen = memory.with_unseen(state, self.clock())
        return replace(seen, launched=frozenset(memory.launched))

    def summaries(self) -> tuple[Summary, ...]:
        """Return every name in this region, also those of which only the record is left."""
        return summaries(self.ec2, self.region, self.unknowns)

    def host_keys(self, name: str, instance: str) -> tuple[str, ...]:
        """Return the instance's SSH host keys from its console; () where it shows none yet."""
        with translated(f"read the console of {instance}"):
            return host_keys(self._console(name, instance))

    def _console(self, name: str, instance: str) -> str:
        one = self._memory(name).id(name, "instance", instance)

        def ask() -> Any:
            try:
                return self.ec2.get_console_output(InstanceId=one, Latest=True)
            except self.ec2.exceptions.ClientError as error:
                if code_of(error) != "UnsupportedOperation":  # not a Nitro machine
                    raise
                return self.ec2.get_console_output(InstanceId=one)

        answer = self.unknowns.without("get_console_output", ask) or {}
        return str(answer.get("Output", ""))

    def remains(self, state: State) -> tuple[str, ...]:
        """Return the resources with the name's tag that are not in ``state``, as ``"kind id"``.

        What EC2 goes on describing for a while after its end does not count.
        """
        known = {i.id for i in state.instances} | {v.id for v in state.volumes}
        known |= {a.id for a in state.addresses}
        known |= {s.name for s in state.snapshots} | {i.name for i in state.images}
        # An image's disk is a snapshot of its own, with the same tag.
        sources = {i.source for i in state.images}
        for one in self._memory(state.name).described.get("snapshot", ()):
            if tags.read(one.get("Tags")).get(tags.SOURCE) in sources:
                known.add(one["SnapshotId"])
        passing = {"launch-template"} if state.record is not None else set()
        found = sweep(self.clients, self.region, state.name, self.unknowns).found
        return tuple(
            f"{one.kind} {i}"
            for one in found
            for i in one.ids
            if i not in known and one.kind not in passing
        )

    def check_type(self, name: str, instances: tuple[str, ...], new: str) -> None:
        """Raise UsageError where these instances cannot become the type ``new``."""
        ids = {self._memory(name).id(name, "instance", one) for one in instances}
        described = [
            one
            for reservation in self._memory(name).described.get("instance", ())
            for one in reservation["Instances"]
            if one["InstanceId"] in ids
        ]
        check(self.calls, described, new)

    def check_room(self, name: str, volumes: tuple[str, ...]) -> None:
        """Raise RoostError where the record has no room to note that these have copies in S3."""
        with translated(f"look at the record of {name}"):
            s3_copies.check_room(self.calls, name, volumes)

    def logs(self, name: str, instance: str, lines: int) -> str:
        """Return the end of the console's output, as far as EC2 has it."""
        with translated(f"read the console of {instance}"):
            return "\n".join(self._console(name, instance).splitlines()[-lines:])

    def wait(self, name: str, since: float) -> None:
        """Wait longer the longer it takes: half as long again each time."""
        del name
        self.sleep(min(LONGEST_WAIT, SHORTEST_WAIT + since / 2))

    @contextmanager
    def hold(self, name: str, what: str) -> Iterator[None]:
        """Hold the name: one roost of this computer at a time; tags and tokens protect the rest."""
        with hold(self.locks / f".{self.region}-{name}.lock", name, what):
            self._memories.pop(name, None)
            yield

    def begin(self, spec: Spec) -> None:
        """Do nothing: EC2 must be asked for all that can fail."""

    def check(
        self, spec: Spec, wanted: Wanted, have: State, file: str, *, launches: bool
    ) -> Iterator[Finding]:
        """Check the caller's address, network, images, quotas, role. Raises RoostError."""
        from roost.providers.aws.doctor import examine_key, examine_role
        from roost.providers.aws.quotas import check_before

        if launches:
            with translated("look at the network"):
                self._networks[spec.name] = network_of(self.calls, spec.aws, spec.access)
                check_groups(self.calls, spec.aws, self._networks[spec.name].vpc)
                self._images |= find_own(self.calls, wanted.groups)
        if any(r.source == "caller" for group in wanted.security_groups for r in group.rules):
            self.caller()
        self.public_keys(spec.access.key_pairs(self.name))
        yield from check_before(self.clients, wanted, have, self.region)
        named = spec.aws is not None and spec.aws.kms_key is not None
        first = (
            *(examine_role(self.clients, spec, file) if launches else ()),
            *(examine_key(self.clients, spec) if launches and named else ()),
        )
        for finding in first:
            if finding.verdict == "problem":
                raise AccessError(finding.text, exists=have.conditions, next=finding.mend)
            yield finding

    def history(self, name: str, moment: datetime) -> tuple[Ledger, There]:
        """Return the ledger of a name, from its record's tags, and what exists now."""
        with translated(f"look at what {name} has had"):
            recorded = read_record(self._memory(name).record)
            public = None if recorded.makes_gateway else recorded.reach == "public"
            return ledger.history(self.calls, name, moment, public=public)

    # --- effects -----------------------------------------------------------------------------

    def apply(self, name: str, step: Step) -> None:
        """Do one step; each can be done again after a kill in its middle."""
        memory = self._memory(name)
        with translated(describe(step)):
            try:
                self._apply(name, memory, step)
            except self.ec2.exceptions.ClientError as error:
                if kind_of(error) == "access" and self._gone(name, step):
                    return
                if kind_of(error) == "pending":
                    memory.note(f"{describe(step)}: not yet ({code_of(error)}): waiting")
                raise

    def _gone(self, name: str, step: Step) -> bool:
        """Tell whether all that was to be deleted is gone.

        Of what is gone EC2 knows no tags any more, so a policy that goes by tags denies the call.
        """
        if not isinstance(step, Delete):
            return False
        there = {(r.kind, r.name) for r in self.observe(name).resources}
        return not any((step.kind, one) in there for one in step.names)

    def _apply(self, name: str, memory: Memory, step: Step) -> None:
        match step:
            case Record(text):
                self._keeper(name, memory).settings(text)
            case RecordBackups(backups):
                self._keeper(name, memory).backups(backups)
            case Create(_, resources):
                self._maker(name, memory).make(resources)
            case OpenRules():
                self._maker(name, memory).open_rules(step)
            case Delete(("snapshot" | "image") as kind, names):
                self._changes(name, memory).note_gone(names)
                for one in names:
                    self._disks(name, memory).delete(one)
                    memory.remember_gone(kind, one)
            case Forget():
                self.calls.unless_gone(
                    self.ec2.delete_launch_template,
                    LaunchTemplateName=requests.template_name(name),
                )
                memory.record, memory.s3_copies, memory.kept = None, (), record.Kept()
            case _ if isinstance(step, DISK_STEPS):
                self._disks(name, memory).apply(step)
            case _:
                self._changes(name, memory).apply(step)

    def public_keys(self, names: tuple[str, ...]) -> Mapping[str, str]:
        """Return key pairs of the account by their names. Raises UsageError where one is missing.

        They are asked for once in a process.
        """
        if not set(names) <= self._public_keys.keys():
            with translated("look up the key pairs that [access] keys names"):
                self._public_keys.update(public_keys(self.calls, names))
        return {name: self._public_keys[name] for name in names}

    def is_mine(self, owner: Owner, record: str | None) -> bool:
        """Tell whether whoever runs roost may change what is ``owner``'s."""
        return self._callers.mine(owner, record)

    def take_over(self, name: str) -> None:
        """Make whoever runs roost the owner of a name that was looked at. Raises RoostError.

        Machines made from now on let in their key. Their name comes last: a roost that is killed
        before it is asked to take over again.
        """
        memory = self._memory(name)
        with translated(f"take over {name}"):
            for key in parse.key_pairs(memory.described.get("key-pair", ())):
                self._changes(name, memory).apply(Delete("key-pair", (key.name,)))
                self._maker(name, memory).key_pair(key)
            self._keeper(name, memory).take_over()

    @property
    def _callers(self) -> Callers:
        return Callers(self._identity, self.public_key)

    def _identity(self) -> str:
        with translated("ask AWS who you are"):
            return str(self.clients("sts").get_caller_identity()["Arn"])

    def _keeper(self, name: str, memory: Memory) -> Keeper:
        return Keeper(calls=self.calls, memory=memory, name=name, callers=self._callers)

    def _maker(self, name: str, memory: Memory) -> Maker:
        aws = _aws(memory.record)
        return Maker(
            calls=self.calls,
            images=self._images,
            memory=memory,
            name=name,
            network=partial(self._network, name, memory),
            caller=self._who,
            public_key=self.public_key,
            clock=self.clock,
            wall=self.wall,
            users=read_record(memory.record).tags,
            user_data=partial(self._user_data, memory.record),
            kms_key=aws.kms_key if aws else None,
            groups=aws.security_groups if aws else (),
        )

    def _user_data(
        self, record: str | None, instances: tuple[Instance, ...], head: str | None
    ) -> bytes | None:
        if self.boot is None or record is None:
            return None
        nodes = launch([i.name for i in instances])
        return self.boot(record, nodes, instances[0], head, requests.DATA_DEVICES)

    def _who(self, *, address: bool = True) -> Caller:
        """Return who runs roost. Raises RoostError where that cannot be found out."""
        return Caller(self.caller() if address else "", fingerprint(self.public_key()))

    def _changes(self, name: str, memory: Memory) -> Changes:
        return Changes(
            calls=self.calls, memory=memory, name=name, wall=self.wall, retire=self.retire
        )

    def _disks(self, name: str, memory: Memory) -> Disks:
        return Disks(
            calls=self.calls,
            memory=memory,
            name=name,
            users=read_record(memory.record).tags,
            clock=self.clock,
            wall=self.wall,
        )

    def _network(self, name: str, memory: Memory) -> Network:
        """Return the network, asked for once in a process."""
        if name not in self._networks:
            recorded = read_record(memory.record)
            self._networks[name] = network_of(self.calls, _aws(memory.record), recorded)
        return self._networks[name]


def _aws(record: str | None) -> Any:
    from roost.spec.aws import Aws

    table = read_record(record).aws
    return Aws.model_validate(table, strict=False) if table else None
