"""The launch of machines: one call for a batch, and the next best place where there is no room.

A launch of workers climbs down a ladder of rungs (a type, in a zone, as a spot machine or on
demand) until all have room. RunInstances gives as many as there is room for, and its launch index
says which machine is which; what is left goes to the next rung. (An instant CreateFleet would do
all of it in one call, and gives no launch index.) Machines that hold data or are the way in stay
in the zone where the name is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from roost.errors import (
    CapacityError,
    CloudError,
    NotYetError,
    QuotaError,
    RoostError,
    command_line,
)
from roost.model import nodes
from roost.model.resources import GATEWAY, STATELESS, Group, Instance, Shape
from roost.providers.aws import requests
from roost.providers.aws.failures import code_of, translated
from roost.providers.aws.images.lookup import find_own, resolved_by_ec2
from roost.providers.aws.images.store import for_launch
from roost.providers.aws.network import Network, private_addresses

if TYPE_CHECKING:
    from roost.providers.aws.create import Maker

UserData = Callable[[tuple[Instance, ...], str | None], bytes | None]
"""What machines are started with, given the head's private address. The same for the same wish:
a repeated call with other user-data would be another launch."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One try: this type, in this zone, as a spot machine or on demand."""

    type: str
    zone: str
    spot: bool

    @property
    def machine(self) -> str:
        """Return ``"m7i.xlarge spot"``."""
        return f"{self.type} spot" if self.spot else self.type

    def __str__(self) -> str:
        return f"{self.machine} in {self.zone}"


def ladder(shape: Shape, zones: tuple[str, ...]) -> tuple[Rung, ...]:
    """Return the tries in order: spot before on demand; the first zone before the next; the types.

    A type that was named later is better than another zone: traffic between zones is paid for.
    """
    markets = (True, False) if shape.spot and shape.or_on_demand else (shape.spot,)
    types = (shape.type, *shape.others)
    return tuple(Rung(one, zone, spot) for spot in markets for zone in zones for one in types)


def step_down(role: str, rung: Rung, why: str, then: Rung) -> str:
    """Return ``"worker: no m7i.xlarge in eu-central-1a (...): trying eu-central-1b"``."""
    if then.machine == rung.machine:
        following = then.zone
    elif then.zone == rung.zone:
        following = f"{then.machine}{' on demand' if rung.spot and not then.spot else ''}"
    else:
        following = f"{then}{' on demand' if rung.spot and not then.spot else ''}"
    return f"{role}: {why}: trying {following}"


@dataclass(slots=True)
class Launch:
    """The launch of one batch: machines of one role and shape."""

    maker: Maker
    instances: tuple[Instance, ...]

    @property
    def _first(self) -> Instance:
        return self.instances[0]

    def run(self) -> None:
        """Launch all of them.

        Raises CapacityError, or QuotaError, saying what was tried, where some have no room; those
        that were launched are remembered all the same.
        """
        self._wait_for_the_head()
        rest, why = self.instances, list[tuple[Rung, RoostError]]()
        rungs = [*ladder(self._first.shape, self._zones())]
        while rungs and rest:
            rung = rungs.pop(0)
            try:
                made = self._launched(rung, rest)
            except (CapacityError, QuotaError) as error:
                said = f"no {rung} ({code_of(error.__cause__ or error) or error.what})"
                why.append((rung, error))
                if isinstance(error, QuotaError):  # it is the region's, not the zone's
                    rungs = [r for r in rungs if r.machine != rung.machine]
            else:
                said = f"room for {len(made)} of {len(rest)} {rung}"
                if len(made) < len(rest):
                    why.append((rung, CapacityError(said)))
                rest = self._remember(rung, rest, made)
                if self._first.role not in STATELESS:  # its data will be in this zone
                    rungs = [r for r in rungs if r.zone == rung.zone]
            if rungs and rest:
                self.maker.memory.notes.append(step_down(self._first.role, rung, said, rungs[0]))
        if rest:
            raise self._no_room(rest, [error for _, error in why])

    def _wait_for_the_head(self) -> None:
        """Raise NotYetError while the head has no address: workers get it at their launch."""
        if self._first.role == "worker" and self.maker.memory.head is None:
            raise NotYetError("the workers wait until their head exists")

    def _zones(self) -> tuple[str, ...]:
        """Return all zones, in order, for the first machine of a name; then the zone of the name.

        Workers go to another zone only where the file lists it; a gateway goes to any.
        """
        zone, network = self.maker.memory.zone, self._network
        if zone is None:
            return network.zones
        if self._first.role not in STATELESS:
            return (zone,)
        others = network.zones if self._first.role == GATEWAY else network.listed
        near = (zone,) if zone in network.zones else ()
        return (*near, *(other for other in others if other != zone))

    @property
    def _network(self) -> Network:
        """The network of these machines: a gateway is in the outer one, if there are two."""
        network = self.maker.network()
        return network.outer or network if self._first.role == GATEWAY else network

    def _launched(self, rung: Rung, rest: tuple[Instance, ...]) -> list[dict[str, Any]]:
        """Launch as many as there is room for."""
        shape = replace(self._first.shape, type=rung.type, spot=rung.spot)
        asked = tuple(replace(i, shape=shape) for i in rest)
        with translated(f"launch {len(rest)} x {rung}"):
            for private in self._private(rung.zone):
                site = self._site(rung, private, asked)
                try:
                    return self._run(asked, site)
                except self.maker.calls.ec2.exceptions.ClientError as error:
                    if private is None or code_of(error) != "InvalidIPAddress.InUse":
                        raise
        raise CloudError(
            f"the first addresses tried for the head in {rung.zone} are all in use",
            next="another [aws] subnet or zone in the file",
        )

    def _private(self, zone: str) -> Iterator[str | None]:
        """Yield the private addresses to try for a head; None: EC2 chooses.

        The head's is chosen before its launch, so that workers are told it and start at the same
        time. (A network interface made first would do it too; but an instance launched with one
        gets no public address by itself, which would be two more calls, and a network interface
        without its instance would be one more thing to find and delete.)
        """
        cidr = self.maker.network().cidrs.get(zone)
        if self._first.role == "head" and cidr:
            yield from private_addresses(cidr, self.maker.name)
        else:
            yield None

    def _site(self, rung: Rung, private: str | None, asked: tuple[Instance, ...]) -> requests.Site:
        maker, shape = self.maker, self._first.shape
        image, root_device = self._image(shape.image, shape.arch)
        head, firewalls, groups = private or maker.memory.head, [maker.name], maker.groups
        if self._first.role == GATEWAY:
            head, firewalls, groups = None, [maker.name, nodes.gateway_firewall(maker.name)], ()
        return requests.Site(
            image=image,
            root_device=root_device,
            subnet=self._network.subnets[rung.zone],
            zone=rung.zone,
            security_groups=(
                *(maker.memory.id(maker.name, "security-group", one) for one in firewalls),
                *groups,
            ),
            key_pair=requests.key_name(maker.name),
            users=maker.users,
            private=private,
            public=self._network.public,
            kms_key=maker.kms_key,
            user_data=maker.user_data(asked, head) if maker.user_data else None,
        )

    def _image(self, image: str, arch: str) -> tuple[str, str]:
        """Return the AMI as EC2 finds it, and the name of the device that it boots from."""
        baked = for_launch(self.maker.calls, self.maker.memory, self._first)
        if baked is not None:
            return baked
        known = resolved_by_ec2(image, arch)
        if known is not None:
            return known
        images, own = self.maker.images, (image, arch)
        if own not in images and image.startswith("ami-"):
            (found,) = self.maker.calls.ec2.describe_images(ImageIds=[image])["Images"]
            images[own] = (image, found["RootDeviceName"])
        elif own not in images:
            group = Group(role=self._first.role, count=1, shape=self._first.shape)
            images |= find_own(self.maker.calls, [group])
        return images[own]

    def _run(self, asked: tuple[Instance, ...], site: requests.Site) -> list[dict[str, Any]]:
        maker = self.maker

        def once(salt: int) -> dict[str, Any]:
            call = requests.run_instances(
                maker.name, asked, site, seen=maker.memory.seen, salt=salt
            )
            made: dict[str, Any] = maker.calls.ec2.run_instances(**call)
            return made

        answer = maker.new(once, "InstanceId", "LaunchTime", lambda made: made["Instances"])
        found: list[dict[str, Any]] = answer["Instances"]
        return found

    def _remember(
        self, rung: Rung, rest: tuple[Instance, ...], made: list[dict[str, Any]]
    ) -> tuple[Instance, ...]:
        """Remember those that were launched; return those that still have no room."""
        memory = self.maker.memory
        # Machines of one name stay together: traffic between zones is slow, and paid for.
        memory.zone = memory.zone or rung.zone
        memory.just_made("instance")
        launched = set()
        for described in made:
            number = int(described.get("AmiLaunchIndex", 0))
            found = replace(
                rest[number],
                shape=replace(rest[number].shape, type=rung.type, spot=rung.spot),
                id=described["InstanceId"],
                state="pending",
                private=described.get("PrivateIpAddress"),
            )
            self.maker.made(found, described["InstanceId"])
            memory.begun[described["InstanceId"]] = False
            memory.launched.add(described["InstanceId"])
            launched.add(number)
        return tuple(one for number, one in enumerate(rest) if number not in launched)

    def _no_room(self, rest: tuple[Instance, ...], why: list[RoostError]) -> RoostError:
        said = "; ".join(error.what for error in why)
        quota = next((error for error in why if isinstance(error, QuotaError)), None)
        if quota is not None and len(rest) == len(self.instances):
            return QuotaError(said, next=quota.next)
        if len(self.instances) > 1:
            said = f"no room for {len(rest)} of {len(self.instances)}: {said}"
        return CapacityError(said, next=self._way_out())

    def _way_out(self) -> str:
        name = self.maker.name
        if self._first.role == "worker":
            more = "with more `types`, zones or `spot` in the file there is more room"
            return command_line("roost", "up", name) + f"   (tries again; {more})"
        if self.maker.memory.zone is None:
            return (
                command_line("roost", "up", name) + "   (tries again; or another type in the file)"
            )
        return (
            f"{command_line('roost', 'park', name)}, then {command_line('roost', 'resume', name)}"
            "   (takes a zone that has room); or another type: "
            f"{command_line('roost', 'resize', name, '--type', 'TYPE')}"
        )
