"""The interface of a cloud: all that anything above the providers knows of it.

A ``Provider`` is a kind of cloud (AWS, the own machine): it knows where a name may be, and opens a
``Cloud``, which is one place of that kind where machines can be (a region with its credentials).
Both have the same narrow core. What only some can do is a capability: None, or an object that does
it. Whoever wants a capability that is None says so to the user (``need``), and never skips it.

A ``Cloud`` is cut to fit batch calls: one step is one batch of one kind, so a step costs a fixed
number of calls whatever its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from roost.errors import UsageError
from roost.providers.images import Images
from roost.providers.machine_rights import MachineRights

if TYPE_CHECKING:
    from roost.cost.billed import Billed
    from roost.cost.ledger import Ledger
    from roost.cost.spent import There
    from roost.model.finding import Finding
    from roost.model.owner import Owner
    from roost.model.place import Place
    from roost.model.resources import State, Wanted
    from roost.model.steps import Step
    from roost.model.summary import Summary
    from roost.notebook.dask.ranges import Range
    from roost.providers.account import Auditor, Doctor, Rights
    from roost.spec import Spec

C = TypeVar("C")


# --- one place where machines can be -------------------------------------------------------------


class Cloud(Protocol):
    """A place that can hold machines."""

    @property
    def name(self) -> str:
        """The name in the spec's ``cloud`` key."""
        ...

    @property
    def region(self) -> str:
        """Its region; empty where it has none."""
        ...

    @property
    def can(self) -> Capabilities:
        """The capabilities of the cloud beyond this protocol."""
        ...

    def observe(self, name: str) -> State:
        """Return all of one name, in a fixed number of calls. Raises AccessError, CloudError."""
        ...

    def summaries(self) -> tuple[Summary, ...]:
        """Return every name that this roost finds here, in a fixed number of calls."""
        ...

    def apply(self, name: str, step: Step) -> None:
        """Do one step. Safe to call again after a kill at any point.

        Raises ThrottledError (try again), CapacityError, QuotaError, CloudError.
        """
        ...

    def wait(self, name: str, since: float) -> None:
        """Come back when something may have changed; ``since`` is seconds waited so far."""
        ...

    def hold(self, name: str, what: str) -> AbstractContextManager[None]:
        """Hold a name, so that no other roost works on it. Raises BusyError, naming the holder."""
        ...

    def logs(self, name: str, instance: str, lines: int) -> str:
        """Return the last lines that an instance logged while it set itself up and ran."""
        ...


class HostKeys(Protocol):
    """The SSH host keys of machines, by a way that nobody on the network can change."""

    def host_keys(self, name: str, instance: str) -> tuple[str, ...]:
        """Return the public host keys; () where they are not known yet. Raises CloudError."""
        ...


class Preflight(Protocol):
    """The checks for what can fail before anything is made."""

    def begin(self, spec: Spec) -> None:
        """Raise RoostError for what must not even begin; nothing was touched or looked at yet."""
        ...

    def check(
        self, spec: Spec, wanted: Wanted, have: State, file: str, *, launches: bool
    ) -> Iterator[Finding]:
        """Yield what the user should know. Raises RoostError for what must not begin.

        ``launches``: machines will be made. ``file`` is what to name in hints.
        """
        ...


class Fitting(Protocol):
    """The choice of what a file leaves open and only the place itself knows."""

    def fit(self, spec: Spec, wanted: Wanted, have: State) -> Wanted:
        """Return what is wanted with types of the place, and addresses where it needs some.

        What is there already and does is kept. Raises UsageError where nothing fits.
        """
        ...


class Resizing(Protocol):
    """The change of type of machines that exist."""

    def check_type(self, name: str, instances: tuple[str, ...], new: str) -> None:
        """Raise UsageError where these instances cannot become the type ``new``."""
        ...


class History(Protocol):
    """The record of what a name has had, and for how long, so that it can be priced."""

    def history(self, name: str, moment: datetime) -> tuple[Ledger, There]:
        """Return the ledger, and what exists now. Raises AccessError, CloudError."""
        ...


class Bills(Protocol):
    """The bill that the cloud itself writes, by name."""

    def billed(self, name: str, today: date) -> Billed:
        """Return what was billed for a name in the last months. Raises CredentialsError."""
        ...


class Owners(Protocol):
    """Names that belong to somebody: others must take them over before they change them."""

    def is_mine(self, owner: Owner, record: str | None) -> bool:
        """Tell whether whoever runs roost is the owner, or named in the record. Asks the cloud."""
        ...

    def take_over(self, name: str) -> None:
        """Make whoever runs roost the owner of a name that was looked at. Raises RoostError."""
        ...


class KeyPairs(Protocol):
    """Public keys that an account keeps by names."""

    def public_keys(self, names: tuple[str, ...]) -> Mapping[str, str]:
        """Return these keys as OpenSSH has them, by name. Raises UsageError for one not there."""
        ...


class Remains(Protocol):
    """The search for what still carries a name's mark, by another way than ``observe``."""

    def remains(self, state: State) -> tuple[str, ...]:
        """Return ``("volume vol-1", ...)``: what exists with the mark and is not in ``state``."""
        ...


class S3Copies(Protocol):
    """The places in S3 of volumes' data, kept with the record, and the way to S3 from here."""

    @property
    def profile(self) -> str | None:
        """The profile of the user's own credentials of S3."""
        ...

    @property
    def region(self) -> str:
        """The region of S3 where the machines are; "" where S3 is elsewhere."""
        ...

    def check_room(self, name: str, volumes: tuple[str, ...]) -> None:
        """Raise RoostError where the record has no room for so many copies of one name."""
        ...


class Shell(Protocol):
    """The way to run programs as an instance does, without a connection."""

    def surroundings(self, state: State, instance: str) -> tuple[Mapping[str, str], Path]:
        """Return the environment and folder of its programs. Raises RoostError if it is not up."""
        ...

    def log_files(self, name: str, instance: str) -> tuple[Path, ...]:
        """Return the files in which an instance logs."""
        ...

    def page(self, name: str) -> str | None:
        """Return the address of the name's page, token included; None where it has none now."""
        ...


class Following(Protocol):
    """A cluster's number of workers that follows the work, by the cluster itself."""

    def range_of(self, name: str) -> Range | None:
        """Return the range that the number follows the work in; None where it stays as it is."""
        ...

    def follow(self, name: str, wish: Range | None) -> None:
        """Keep the range, with who said so, or that there is none."""
        ...


class Leftovers(Protocol):
    """The remains of what a killed roost had begun before there was a name."""

    def half_made(self, name: str) -> bool:
        """Tell whether there is any; ``hold`` removes it."""
        ...


class Renewal(Protocol):
    """Renews the software of what runs, with nothing started anew."""

    def renew(self, spec: Spec, have: State) -> tuple[str, ...]:
        """Give a running name what its file says now; return what to know. Raises RoostError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The capabilities of a cloud beyond the protocol. ``rents``: what exists costs money.

    ``archives``: copies of volumes can be moved to a storage that is colder and cheaper.
    ``swaps``: two machines can take each other's name in one moment.
    """

    rents: bool = False
    archives: bool = False
    swaps: bool = False
    host_keys: HostKeys | None = None
    preflight: Preflight | None = None
    fitting: Fitting | None = None
    resizing: Resizing | None = None
    history: History | None = None
    bills: Bills | None = None
    owners: Owners | None = None
    key_pairs: KeyPairs | None = None
    remains: Remains | None = None
    s3_copies: S3Copies | None = None
    shell: Shell | None = None
    leftovers: Leftovers | None = None
    following: Following | None = None
    renewal: Renewal | None = None
    images: Images | None = None
    machine_rights: MachineRights | None = None


def need(capability: C | None, what: str, cloud: Cloud) -> C:
    """Return the capability. Raises UsageError, saying that this cloud cannot do ``what``."""
    if capability is None:
        where = f"{cloud.name} {cloud.region}".rstrip()
        raise UsageError(f"{what}: {where} cannot do that")
    return capability


# --- a kind of cloud -----------------------------------------------------------------------------


class Lister(Protocol):
    """A source of `roost ls`: a cloud, or a cheaper look at one."""

    @property
    def name(self) -> str:
        """The provider's name."""
        ...

    @property
    def region(self) -> str:
        """Its region; empty where it has none."""
        ...

    @property
    def account(self) -> tuple[str, ...]:
        """Where its region leads; empty where no two lead to the same. Raises RoostError."""
        ...

    def summaries(self) -> tuple[Summary, ...]:
        """Return every name that is there."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """The functions that a provider needs of the layers above it.

    ``public_key`` gives the user's public SSH key; ``retire`` lets workers of a name hand over;
    ``warn`` tells what a cloud could not find out.
    """

    public_key: Callable[[], bytes]
    retire: Callable[[Cloud, State, tuple[str, ...]], None]
    warn: Callable[[str], None] = lambda _: None


class Provider(Protocol):
    """A kind of cloud."""

    @property
    def name(self) -> str:
        """The name in the spec's ``cloud`` key."""
        ...

    @property
    def title(self) -> str:
        """The title within a sentence: ``"AWS"``, ``"your own machine"``."""
        ...

    @property
    def rents(self) -> bool:
        """True if what exists costs money, and is reached through a network."""
        ...

    @property
    def regional(self) -> bool:
        """True if its places are regions, with profiles of credentials."""
        ...

    def is_configured(self) -> bool:
        """Tell whether this computer has used it, or is set up for it; asks nobody."""
        ...

    def open(self, place: Place, tools: Tools, spec: Spec | None = None) -> Cloud:
        """Open one place of it. Raises UsageError where options and spec do not say which."""
        ...

    def remember(self, cloud: Cloud, place: Place, spec: Spec) -> None:
        """Note on this computer that this place is in use: a hint where to look, never a state."""
        ...

    def find(self, name: str, place: Place, tools: Tools) -> tuple[Cloud, ...]:
        """Return every place in which something of ``name`` is."""
        ...

    def where(self, place: Place) -> str:
        """Return the places that ``find`` looks in, for people: ``"on AWS in eu-central-1"``."""
        ...

    def everywhere(self, place: Place, tools: Tools) -> tuple[Cloud, ...]:
        """Return every place that may have something."""
        ...

    def listers(self, place: Place, tools: Tools) -> tuple[Lister, ...]:
        """Return the sources that `roost ls` asks."""
        ...

    @property
    def auditor(self) -> Auditor | None:
        """The audit of whole accounts, if it can."""
        ...

    @property
    def doctor(self) -> Doctor | None:
        """The checks of an account, if it can."""
        ...

    @property
    def rights(self) -> Rights | None:
        """The rights that are needed, if it has any."""
        ...
