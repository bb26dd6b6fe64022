"""The limits and the wording of a provider, known without asking it. Pure.

The spec, the plan and the recipes know no provider by name: they ask the rules of the one that the
file names. Each provider has a module ``rules`` with a function ``rules`` that returns its own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from roost.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from roost.cost.needs import Needs
    from roost.cost.site_prices import SitePrices
    from roost.model.host import Host
    from roost.model.resources import Role, Shape
    from roost.reach import Reach
    from roost.spec import Spec
    from roost.spec.machine import Machine

NAMES = ("local", "aws", "openstack")
"""What a file's ``cloud`` may be: packages in this folder, each with a module ``rules``."""
OWN_MACHINE, RENTED = "local", "aws"
"""Where a file means that does not say it: of a cluster, and of all else."""

At = tuple[str | int, ...]
"""A place below the key that is checked."""


class Types(Protocol):
    """The types of machine that a provider has, and what is known of each.

    The checks raise the error of a key (``roost.spec.table.wrong``).
    """

    @property
    def cloud(self) -> str:
        """The provider's name, which is the name of its table in the file too."""
        ...

    def check(self, name: str, region: str | None, at: At = ()) -> None:
        """Refuse a type that does not exist, or not in the region."""
        ...

    def check_alike(self, names: tuple[str, ...]) -> None:
        """Refuse types on which one image does not start."""
        ...

    def check_gpu(self, model: str) -> None:
        """Refuse a model of GPU that no type has."""
        ...

    def check_needs(self, needs: Needs, region: str | None) -> None:
        """Refuse what no type of the region has. Silent where the region itself is wrong."""
        ...

    def arch(self, name: str) -> str:
        """Return the kind of a type's processor."""
        ...

    def has_gpu(self, name: str) -> bool | None:
        """Tell whether a type has GPUs; None where nothing describes it."""
        ...


class Disks(Protocol):
    """The types of volume that a provider has, and their limits."""

    @property
    def types(self) -> tuple[str, ...]:
        """Their names."""
        ...

    @property
    def default(self) -> str:
        """The type of a volume for which the file says none."""
        ...

    @property
    def root(self) -> str:
        """The type of the disk that a machine boots from."""
        ...

    def check_root(self, gib: float) -> None:
        """Refuse a size that no such disk has, or that is too small for the system."""
        ...

    def check_boot(
        self, gib: float, kind: str | None, iops: int | None, throughput: int | None, *, new: bool
    ) -> None:
        """Refuse a type or a speed that no disk to boot from has; ``new``: of this size either.

        Raises the error of a machine: its keys are disk_type, disk_iops, disk_throughput.
        """
        ...

    def check_volume(
        self,
        kind: str,
        gib: float,
        iops: int | None,
        throughput: int | None,
    ) -> None:
        """Refuse a size or a speed that the type does not have."""
        ...

    @property
    def most(self) -> int:
        """The number of data volumes that a machine can have."""
        ...

    def check_ratios(self, kind: str, gib: float, iops: int | None, throughput: int | None) -> None:
        """Refuse a speed that no volume of this size, or with so few IOPS, can have."""
        ...


class Regions(Protocol):
    """The regions that a provider has."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their codes, sorted."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the provider's table that belong to one region."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a provider's machines are told what they are, where it has any.

    ``platform`` is the module of ``roost.machine.platforms`` that runs on them, ``most_user_data``
    the bytes that a launch can bring (before base64), and ``notices``: a machine is told when the
    provider takes it back. ``names_user``: its first user is named at the launch, as images there
    come from many makers, who name theirs as they like.
    """

    platform: str = ""
    most_user_data: int = 0
    notices: bool = False
    names_user: bool = False


class Rules(Protocol):
    """The limits of a file for one provider, and the way a machine's needs become a shape there.

    ``types``, ``disks`` and ``regions`` are None where there are none, or none that is known from
    here: then the file's words are taken as they are.
    """

    @property
    def name(self) -> str:
        """The name in the file's ``cloud`` key."""
        ...

    @property
    def title(self) -> str:
        """The title for people: ``"AWS"``."""
        ...

    @property
    def rents(self) -> bool:
        """True if its machines are rented, and reached over the network."""
        ...

    @property
    def needs_table(self) -> str:
        """The hint for a file that lacks the provider's table; empty where none is needed."""
        ...

    @property
    def reserved_tags(self) -> tuple[str, ...]:
        """The beginnings of tags that are the provider's own, in lower case."""
        ...

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """The ways in which roost can come to its machines."""
        ...

    @property
    def most_rules(self) -> int | None:
        """The number of rules that say who may reach a name's machines; None without a limit."""
        ...

    @property
    def launch(self) -> Launch:
        """How its machines are told what they are."""
        ...

    @property
    def types(self) -> Types | None:
        """Its types of machine."""
        ...

    @property
    def disks(self) -> Disks | None:
        """Its types of volume."""
        ...

    @property
    def regions(self) -> Regions | None:
        """Its regions."""
        ...

    def types_for(self, tables: Collection[str]) -> Types | None:
        """Return the types that a file with these tables names."""
        ...

    def runs(self, kind: str, scheduler: str = "") -> bool:
        """Tell whether a desktop, a cluster, a classroom, or a cluster's scheduler can be here."""
        ...

    def check_image(self, image: str) -> None:
        """Refuse an image that cannot be here. Raises the error of a key."""
        ...

    def login_user(self, image: str) -> str:
        """Return the first user of an image, as its maker named it."""
        ...

    def shape(self, spec: Spec, machine: Machine, role: Role, host: Host) -> Shape:
        """Return what a machine is made as. Raises UsageError where nothing fits."""
        ...

    def set_up(self, spec: Spec) -> Mapping[str, Any]:
        """Return the settings of the provider that a machine must be made anew for."""
        ...

    def price_region(self, spec: Spec) -> str | None:
        """Return the region whose prices hold; None where no price is known."""
        ...

    def site_prices(self, spec: Spec | None) -> SitePrices | None:
        """Return the prices that a file brings; None on a cloud that has a price list of its own.

        Without a file, or where it brings none, all of them are unknown.
        """
        ...

    def place(self, spec: Spec) -> str:
        """Return the place for people: ``"aws (eu-central-1)"``."""
        ...


# --- the registry --------------------------------------------------------------------------------


@cache
def _known() -> dict[str, Rules]:
    """Hold the rules that were asked for or registered."""
    return {}


def register(rules: Rules) -> None:
    """Add the rules of one more provider, under its name."""
    _known()[rules.name] = rules


def cloud_names() -> tuple[str, ...]:
    """Return the values that a file's ``cloud`` may have."""
    return (*NAMES, *(name for name in _known() if name not in NAMES))


def rules_of(name: str) -> Rules:
    """Return the rules of the provider that a file's ``cloud`` names. Raises UsageError."""
    rules = find_rules(name)
    if rules is None:
        known = ", ".join(f'"{one}"' for one in cloud_names())
        raise UsageError(f'no cloud is called "{name}"; there are {known}')
    return rules


def find_rules(name: str) -> Rules | None:
    """Return the rules of a provider; None where there is none of that name."""
    known = _known()
    if name not in known and name in NAMES:
        module = importlib.import_module(f"roost.providers.{name}.rules")
        register(module.rules())
    return known.get(name)


def every_rules() -> tuple[Rules, ...]:
    """Return the rules of all providers."""
    return tuple(rules_of(name) for name in cloud_names())


# --- questions to several ------------------------------------------------------------------------


def clouds_for(kind: str, scheduler: str = "") -> tuple[str, ...]:
    """Return the clouds that a kind of file can be for, and a cluster's scheduler."""
    return tuple(rules.name for rules in every_rules() if rules.runs(kind, scheduler))


def volume_types() -> tuple[str, ...]:
    """Return the types of volume that any provider has."""
    every = (rules.disks.types for rules in every_rules() if rules.disks is not None)
    return tuple(dict.fromkeys(name for names in every for name in names))


def regional(cloud: str) -> Rules | None:
    """Return the provider that a region belongs to, in a file for ``cloud``.

    A file for a cloud without regions can have the table of another, for later.
    """
    own = find_rules(cloud)
    if own is not None and own.regions is not None:
        return own
    return next((rules for rules in every_rules() if rules.regions is not None), None)


def check_region(region: str, cloud: str | None = None) -> None:
    """Raise UsageError, with a suggestion, where ``cloud`` (or any, if None) has no such region."""
    from roost.spec.table import did_you_mean

    among = every_rules() if cloud is None else (rules_of(cloud),)
    known = {rules.title: rules.regions.names for rules in among if rules.regions is not None}
    if not known or any(region in names for names in known.values()):
        return
    every = tuple(name for names in known.values() for name in names)
    hint = did_you_mean(region, every) or ", ".join(every)
    mark = "; " if hint.startswith("did") else ": "
    raise UsageError(f"{' or '.join(known)} has no region {region}{mark}{hint}")


def arch_of(cloud: str, machine: Machine) -> str:
    """Return the processor's kind of a machine, by its type or by what the file says."""
    types = rules_of(cloud).types
    if machine.exact and types is not None:
        return types.arch(machine.exact[0])
    return machine.arch or "x86_64"


def may_have_gpu(cloud: str, machine: Machine) -> bool:
    """Tell whether only the machine itself can say if it has one: its type is the site's own."""
    rules = rules_of(cloud)
    return rules.rents and rules.types is None and bool(machine.exact)


def has_gpu(cloud: str, machine: Machine) -> bool:
    """Tell whether a machine has a GPU, by its type or by what the file says."""
    types = rules_of(cloud).types
    described = types.has_gpu(machine.exact[0]) if machine.exact and types is not None else None
    if described is not None:
        return described
    return any((machine.gpus, machine.gpu, machine.gpu_memory))
