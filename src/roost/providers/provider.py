"""All that anything above the providers knows of a cloud.

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
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from roost.errors import UsageError

if TYPE_CHECKING:
    from roost.cost.ledger import Ledger
    from roost.cost.spent import There
    from roost.model.finding import Finding
    from roost.model.place import Place
    from roost.model.resources import State, Wanted
    from roost.model.steps import Step
    from roost.providers.account import Auditor, Doctor, Rights
    from roost.spec import Spec

C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One row of ``roost ls``: a name and how many of its instances are in which state.

    ``unfilled`` are its volumes whose data is not all back from S3, as far as that can be seen.
    """

    name: str
    kind: str
    cloud: str
    states: dict[str, int]
    region: str = ""
    created: datetime | None = None
    unfilled: tuple[str, ...] = ()


# --- one place where machines can be -------------------------------------------------------------


class Cloud(Protocol):
    """A place where machines can be."""

    @property
    def name(self) -> str:
        """What the spec's ``cloud`` key calls it."""
        ...

    @property
    def region(self) -> str:
        """Its region; empty where it has none."""
        ...

    @property
    def can(self) -> Capabilities:
        """What it can do beyond this protocol."""
        ...

    def observe(self, name: str) -> State:
        """Everything of one name, in a fixed number of calls. Raises AccessError, CloudError."""
        ...

    def summaries(self) -> tuple[Summary, ...]:
        """Every name that this roost finds here, in a fixed number of calls."""
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
        """Be the only roost at work on a name. Raises BusyError, saying who is."""
        ...

    def logs(self, name: str, instance: str, lines: int) -> str:
        """The last lines of what an instance logged while it set itself up and ran."""
        ...


class HostKeys(Protocol):
    """Tells the SSH host keys of machines by a way that nobody on the network can change."""

    def host_keys(self, name: str, instance: str) -> tuple[str, ...]:
        """The public host keys; () where they are not known yet. Raises CloudError."""
        ...


class Preflight(Protocol):
    """Checks what can fail before anything is made."""

    def check(
        self, spec: Spec, wanted: Wanted, have: State, file: str, *, launches: bool
    ) -> Iterator[Finding]:
        """Yield what the user should know. Raises RoostError for what must not begin.

        ``launches``: machines will be made. ``file`` is what to name in hints.
        """
        ...


class Resizing(Protocol):
    """Changes the type of machines that are there."""

    def check_type(self, name: str, instances: tuple[str, ...], new: str) -> None:
        """Raises UsageError where these instances cannot become the type ``new``."""
        ...


class History(Protocol):
    """Remembers what a name has had, and for how long, so that it can be priced."""

    def history(self, name: str, moment: datetime) -> tuple[Ledger, There]:
        """The ledger, and what is there now. Raises AccessError, CloudError."""
        ...


class Remains(Protocol):
    """Finds what still carries a name's mark, by another way than ``observe``."""

    def remains(self, state: State) -> tuple[str, ...]:
        """``("volume vol-1", ...)``: what is there with the mark and not in ``state``."""
        ...


class S3Copies(Protocol):
    """Keeps with the record where in S3 the data of volumes is, and how to reach S3 from here."""

    @property
    def profile(self) -> str | None:
        """The profile of the user's own credentials of S3."""
        ...

    def check_room(self, name: str, volumes: tuple[str, ...]) -> None:
        """Raises RoostError where so many copies of one name could not be remembered."""
        ...


class Shell(Protocol):
    """Runs programs as an instance does, without a connection."""

    def surroundings(self, state: State, instance: str) -> tuple[Mapping[str, str], Path]:
        """The environment and the folder of its programs. Raises RoostError if it is not up."""
        ...

    def log_files(self, name: str, instance: str) -> tuple[Path, ...]:
        """The files in which an instance logs."""
        ...

    def page(self, name: str) -> str | None:
        """The address of the name's page, token included; None where it has none now."""
        ...


class Leftovers(Protocol):
    """Finds what a killed roost had begun before there was a name."""

    def half_made(self, name: str) -> bool:
        """Whether there is any; ``hold`` removes it."""
        ...


class Baker(Protocol):
    """Makes images of machines: see ``images/``."""

    def bakery(self, job: Any, say: Callable[[str], None]) -> Any:
        """What makes one image."""
        ...

    def shelf(self) -> Any:
        """The images of this place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a cloud can do beyond the protocol. ``rents``: what is there costs money."""

    rents: bool = False
    host_keys: HostKeys | None = None
    preflight: Preflight | None = None
    resizing: Resizing | None = None
    history: History | None = None
    remains: Remains | None = None
    s3_copies: S3Copies | None = None
    shell: Shell | None = None
    leftovers: Leftovers | None = None
    images: Baker | None = None


def need(capability: C | None, what: str, cloud: Cloud) -> C:
    """The capability. Raises UsageError, saying that this cloud cannot do ``what``."""
    if capability is None:
        where = f"{cloud.name} {cloud.region}".rstrip()
        raise UsageError(f"{what}: {where} cannot do that")
    return capability


# --- a kind of cloud -----------------------------------------------------------------------------


class Lister(Protocol):
    """Something that `roost ls` asks: a cloud, or a cheaper look at one."""

    @property
    def name(self) -> str:
        """The provider's name."""
        ...

    @property
    def region(self) -> str:
        """Its region; empty where it has none."""
        ...

    def summaries(self) -> tuple[Summary, ...]:
        """Every name that is there."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What a provider needs of the layers above it.

    ``public_key`` gives the user's public SSH key; ``retire`` lets workers of a name hand over.
    """

    public_key: Callable[[], bytes]
    retire: Callable[[Cloud, State, tuple[str, ...]], None]


class Provider(Protocol):
    """A kind of cloud."""

    @property
    def name(self) -> str:
        """What the spec's ``cloud`` key calls it."""
        ...

    @property
    def title(self) -> str:
        """What people call it, within a sentence: ``"AWS"``, ``"your own machine"``."""
        ...

    @property
    def rents(self) -> bool:
        """Whether what is there costs money, and is reached through a network."""
        ...

    @property
    def regional(self) -> bool:
        """Whether its places are regions, with profiles of credentials."""
        ...

    def is_configured(self) -> bool:
        """Whether this computer has used it, or is set up for it; asks nobody."""
        ...

    def open(self, place: Place, tools: Tools, spec: Spec | None = None) -> Cloud:
        """One place of it. Raises UsageError where options and spec do not say which."""
        ...

    def remember(self, cloud: Cloud, place: Place, spec: Spec) -> None:
        """Note on this computer that this place is in use: a hint where to look, never a state."""
        ...

    def find(self, name: str, place: Place, tools: Tools) -> tuple[Cloud, ...]:
        """Every place in which something of ``name`` is."""
        ...

    def where(self, place: Place) -> str:
        """Where ``find`` has looked, for people: ``"on AWS in eu-central-1"``."""
        ...

    def everywhere(self, place: Place, tools: Tools) -> tuple[Cloud, ...]:
        """Every place that may have something."""
        ...

    def listers(self, place: Place, tools: Tools) -> tuple[Lister, ...]:
        """What `roost ls` asks."""
        ...

    @property
    def auditor(self) -> Auditor | None:
        """Looks through whole accounts, if it can."""
        ...

    @property
    def doctor(self) -> Doctor | None:
        """Checks an account, if it can."""
        ...

    @property
    def rights(self) -> Rights | None:
        """Knows which rights are needed, if it has any."""
        ...
