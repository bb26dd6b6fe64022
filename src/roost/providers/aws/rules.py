"""The limits of a file on AWS: regions and types from the catalogue, the limits of EBS, images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from roost.catalogue import Catalogue, load
from roost.cost.machines import cheapest, why_none
from roost.errors import UsageError
from roost.model.resources import Shape
from roost.providers.rules import Launch
from roost.spec.table import did_you_mean, quoted, wrong
from roost.spec.values import SYSTEMS
from roost.units import format_size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from roost.catalogue import InstanceType
    from roost.cost.needs import Needs
    from roost.model.host import Host
    from roost.model.resources import Role
    from roost.reach import Reach
    from roost.spec import Spec
    from roost.spec.machine import Machine

NAME = "aws"
OWNER = r"self|amazon|aws-marketplace|[0-9]{12}"
NAMES = r"[A-Za-z0-9 ()\[\]./'@_*?-]{1,128}"
"""What a name of an AMI is made of, and EC2's wildcards. Source: EC2 API reference, CreateImage."""
FEWEST_LETTERS = 3


def catalogue() -> Catalogue:
    """Return AWS's machines and prices."""
    return load(NAME)


class AwsTypes:
    """EC2's instance types."""

    cloud = NAME

    def check(self, name: str, region: str | None, at: tuple[str | int, ...] = ()) -> None:
        """Refuse a type that AWS does not have, or that the region does not."""
        known = catalogue()
        if name not in known.type_names and name not in known.undescribed:
            raise wrong(
                "AWS has no such instance type",
                hint=did_you_mean(name, (*known.type_names, *known.undescribed))
                or "`roost prices` lists those that fit",
                at=at,
            )
        prices = known.region(region) if region else None
        if prices is None or name in known.undescribed:
            return
        if prices.offered(name) is False:
            elsewhere = [
                code
                for code in known.regions
                if (other := known.region(code)) is not None and other.offered(name)
            ]
            hint = f"these have it: {', '.join(elsewhere)}"
            raise wrong(f"{region} does not have it", hint=hint, at=at)

    def check_alike(self, names: tuple[str, ...]) -> None:
        """Refuse types of different processors: one image starts on all of them."""
        arches = {name: self.arch(name) for name in names}
        for number, name in enumerate(names):
            if arches[name] != arches[names[0]]:
                different = f"{name} is {arches[name]}, and {names[0]} {arches[names[0]]}"
                raise wrong(f"{different}: one system does not start on both", at=(number,))

    def check_gpu(self, model: str) -> None:
        """Refuse a model of GPU that no type has."""
        known = {gpu.name for t in catalogue().instance_types() for gpu in t.gpus}
        if not any(model.casefold() in name.casefold() for name in known):
            allowed = ", ".join(sorted(known))
            raise wrong("AWS has no such GPU", allowed=allowed, hint=did_you_mean(model, known))

    def check_needs(self, needs: Needs, region: str | None) -> None:
        """Refuse what no type of the region has."""
        known = catalogue()
        if region not in known.regions:
            return  # the region is wrong; its own check reports that
        assert region is not None
        if not cheapest(known, region, needs, limit=1):
            raise wrong("no machine has all this", hint=why_none(known, region, needs).reason)

    def arch(self, name: str) -> str:
        """Return the processor's kind; x86_64 where AWS does not describe the type."""
        described = catalogue().instance_type(name)
        return described.architectures[-1] if described else "x86_64"

    def has_gpu(self, name: str) -> bool | None:
        """Tell whether the type has GPUs; None where AWS does not describe it."""
        described = catalogue().instance_type(name)
        return None if described is None else bool(described.gpus)


class EbsDisks:
    """EBS volumes: whole GiB, and not all sizes and speeds of all types."""

    types = ("gp3", "gp2", "io1", "io2", "st1", "sc1", "standard")
    default = "gp3"
    root = "gp3"
    boots = ("gp3", "gp2", "io1", "io2", "standard")
    """Source: EBS user guide, "EBS volume types": st1 and sc1 cannot be boot volumes."""
    smallest_root_gib = 8
    """The size of the images of AwsRules.images."""
    smallest_gib: Mapping[str, int] = {"st1": 125, "sc1": 125, "io1": 4, "io2": 4}
    """1 GiB of those not named."""
    largest_gib: Mapping[str, int] = {"gp3": 65536, "io2": 65536, "standard": 1024}
    """16 TiB of those not named."""
    iops: Mapping[str, tuple[int, int]] = {
        "gp3": (3000, 80_000),
        "io1": (100, 64_000),
        "io2": (100, 256_000),
    }
    """Fewest and most provisioned IOPS."""
    iops_a_gib: Mapping[str, int] = {"gp3": 500, "io1": 50, "io2": 1000}
    """Most IOPS for each GiB; gp3 has its fewest at any size."""
    iops_a_mibps = 4
    """The IOPS that gp3 must have for each MiB/s of throughput."""
    most = 11
    """The devices that roost attaches data volumes as: /dev/sdf to /dev/sdp."""

    def check_root(self, gib: float) -> None:
        """Refuse a size that a root volume cannot have, or that is too small for the system."""
        if not float(gib).is_integer():
            raise wrong("EBS counts in whole GB", allowed=f'"{gib // 1 + 1:g}GB"')
        self._check_size(self.root, gib, at=())
        if gib < self.smallest_root_gib:
            raise wrong(
                "too small for the system", allowed=f'at least "{self.smallest_root_gib}GB"'
            )

    def check_boot(
        self, gib: float, kind: str | None, iops: int | None, throughput: int | None, *, new: bool
    ) -> None:
        """Refuse a type that nothing boots from, and a size or a speed that EBS does not have."""
        kind = kind or self.root
        if kind not in self.boots:
            allowed = quoted(self.boots)
            raise wrong("nothing boots from it", allowed=allowed, at=("disk_type",))
        try:
            self.check_volume(kind, gib, iops, throughput)
            if new:
                self.check_ratios(kind, gib, iops, throughput)
        except PydanticCustomError as error:
            facts = dict(error.context or {})
            (key,) = facts.pop("at")
            at = ("disk",) if key == "size" else (f"disk_{key}",)
            raise wrong(
                facts["message"], allowed=facts["allowed"], hint=facts["hint"], at=at
            ) from None

    def check_volume(
        self,
        kind: str,
        gib: float,
        iops: int | None,
        throughput: int | None,
    ) -> None:
        """Refuse a size or a speed that EBS does not have of the type."""
        self._check_size(kind, gib, at=("size",))
        if iops is not None and kind not in self.iops:
            raise wrong(f"{kind} has no iops to choose", hint="gp3, io1 and io2 have", at=("iops",))
        if throughput is not None and kind != "gp3":
            raise wrong(f"{kind} has no throughput to choose", hint="gp3 has", at=("throughput",))
        if iops is None and kind in ("io1", "io2"):
            raise wrong(f"{kind} needs iops", hint="for example iops = 3000", at=("type",))
        if iops is not None:
            least, most = self.iops[kind]
            if not least <= iops <= most:
                allowed = f"{least} to {most} for {kind}"
                raise wrong("not an IOPS that EBS has", allowed=allowed, at=("iops",))

    def check_ratios(self, kind: str, gib: float, iops: int | None, throughput: int | None) -> None:
        """Refuse a speed that EBS gives to larger volumes only, or to those with more IOPS."""
        least = self.iops[kind][0] if kind in self.iops else 0
        most = max(least, int(self.iops_a_gib.get(kind, 0) * gib))
        if iops is not None and iops > most:
            size = -(-iops // self.iops_a_gib[kind])
            raise wrong(
                f"more IOPS than {kind} has at {format_size(gib)}",
                allowed=f'at most {most}; {iops} from "{size}GB" on',
                at=("iops",),
            )
        if throughput is not None and throughput * self.iops_a_mibps > (iops or least):
            raise wrong(
                f"more throughput than {kind} has with {iops or least} IOPS",
                allowed=f"at most {(iops or least) // self.iops_a_mibps};"
                f" {throughput} with iops = {throughput * self.iops_a_mibps}",
                at=("throughput",),
            )

    def _check_size(self, kind: str, gib: float, at: tuple[str, ...]) -> None:
        least = self.smallest_gib.get(kind, 1)
        most = self.largest_gib.get(kind, 16384)
        if not least <= gib <= most:
            allowed = f'"{format_size(least)}" to "{format_size(most)}" for {kind}'
            raise wrong("no size of an EBS volume", allowed=allowed, at=at)
        if not float(gib).is_integer():
            hint = f'did you mean "{gib // 1 + 1:.0f}GB"?'
            raise wrong("EBS counts in whole GB", hint=hint, at=at)


class AwsRegions:
    """The regions of the price list."""

    keys = ("zones", "vpc", "subnet", "security_groups")

    @property
    def names(self) -> tuple[str, ...]:
        """Their codes, sorted."""
        return catalogue().regions


class AwsRules:
    """Amazon Web Services."""

    name = NAME
    title = "AWS"
    rents = True
    needs_table = 'AWS needs [aws] with at least region = "eu-central-1"'
    reserved_tags = ("aws:",)
    types = AwsTypes()
    disks = EbsDisks()
    regions = AwsRegions()
    reaches: tuple[Reach, ...] = ("public", "jump", "ssm")
    launch = Launch(platform="ec2", most_user_data=16_384, notices=True)
    most_rules = 60
    """Networks and ports of a security group, as EC2 allows without asking; one is roost's own."""
    images = SYSTEMS
    users = (("debian", "admin"), ("ubuntu", "ubuntu"))
    """The user of each system's own images. Sources: Debian's and Canonical's pages on EC2."""
    other_user = "ubuntu"

    def types_for(self, tables: Collection[str]) -> AwsTypes:
        """Return EC2's types, whatever tables the file has."""
        del tables
        return self.types

    def runs(self, kind: str, scheduler: str = "") -> bool:
        """Tell that everything can be there."""
        del kind, scheduler
        return True

    def check_image(self, image: str) -> None:
        """Refuse what is no name that roost knows, no id of an AMI, and no owner with a name."""
        if image in self.images or re.fullmatch(r"ami-[0-9a-f]{8,17}", image):
            return
        owner, slash, name = image.partition("/")
        if slash and re.fullmatch(OWNER, owner) and re.fullmatch(NAMES, name):
            if len(re.sub(r"[*?]", "", name)) < FEWEST_LETTERS:
                raise wrong("this could be nearly any image", allowed="a longer part of its name")
            return
        allowed = (
            f'{", ".join(self.images)}; an AMI: "ami-..."; or the newest of an owner by a pattern'
            ' of its name: "self/scipion*", "123456789012/scipion*"'
        )
        raise wrong("no such image", allowed=allowed, hint=did_you_mean(image, self.images))

    def login_user(self, image: str) -> str:
        """Return the user that the system's maker named; Ubuntu's where the system is unknown."""
        return next((u for system, u in self.users if image.startswith(system)), self.other_user)

    def shape(self, spec: Spec, machine: Machine, role: Role, host: Host) -> Shape:
        """Return the type that the file names, or else the cheapest of the region that fits.

        A burstable type is the cheapest only where it rests: heads and workers are busy for long.
        """
        del host
        if spec.aws is None:
            raise UsageError('the file says nothing of [aws]: it needs at least region = "..."')
        if spec.access.reach == "ssm" and machine.image.startswith("debian"):
            raise UsageError(
                f'reach = "ssm", and {machine.image} has no agent of Session Manager',
                next='image = "ubuntu-24.04"   (Ubuntu\'s images have it)',
            )
        needs = machine.needs(burstable=role in ("desktop", "seat", "gateway"))
        described = _described(machine, needs, spec.aws.region)
        return Shape(
            type=described.name if described else machine.exact[0],
            cpus=described.vcpus if described else 0,
            memory_gib=described.memory_gib if described else 0,
            gpus=described.gpu_count if described else 0,
            arch=described.architectures[-1] if described else "x86_64",
            image=machine.image,
            disk_gib=machine.disk,
            disk_type=machine.disk_type or "",
            disk_iops=machine.disk_iops,
            disk_throughput=machine.disk_throughput,
            spot=machine.on_spot,
            machine_role=spec.aws.instance_profile or "",
        )

    def set_up(self, spec: Spec) -> Mapping[str, Any]:
        """Return whether machines have no public address: no setting in [aws] changes them."""
        return {} if spec.access.has_way_out else {"public": False}

    def price_region(self, spec: Spec) -> str | None:
        """Return the file's region."""
        return spec.aws.region if spec.aws else None

    def site_prices(self, spec: Spec | None) -> None:
        """Return None: a file brings no prices."""
        del spec

    def place(self, spec: Spec) -> str:
        """Return ``"aws (eu-central-1)"``."""
        return f"{self.name} ({spec.aws.region})" if spec.aws else self.name


def _described(machine: Machine, needs: Needs, region: str) -> InstanceType | None:
    """Return the type of a machine; None where it has a price and no description (p2.xlarge)."""
    known = catalogue()
    if not machine.exact:
        offers = cheapest(known, region, needs, limit=1)
        if not offers:
            raise UsageError(why_none(known, region, needs).reason)
        return offers[0].instance_type
    name = machine.exact[0]
    described = known.instance_type(name)
    if described is None and name not in known.undescribed:
        raise UsageError(f"AWS has no instance type {name}")
    return described


def rules() -> AwsRules:
    """Return the rules, for the registry."""
    return AwsRules()
