"""What the commands share that put volumes into S3, or bring them back from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from roost.errors import command_line
from roost.providers.provider import need
from roost.ssh.connection import host_keys_of

if TYPE_CHECKING:
    from roost.model.resources import S3Copy, State, Volume
    from roost.parking.coordinator import Found, Hands
    from roost.providers.provider import Cloud
    from roost.session import Session


@contextmanager
def hands(
    session: Session,
    cloud: Cloud,
    state: State,
    roots: Mapping[str, str],
    classes: Mapping[str, str],
    note: Callable[[str], None],
) -> Iterator[Hands]:
    """The machines of a name, as they are reached from here; with progress."""
    from roost.parking.volume_agent import SshVolumeAgent
    from roost.provision.machines import Machines
    from roost.transfer.s3.config import where

    machines = Machines(state, host_keys_of(cloud, session.say), lambda _: None)
    copies = need(cloud.can.s3_copies, "parking in S3", cloud)
    with session.reporter.transfers() as tell:
        yield SshVolumeAgent(
            machines=machines,
            roots=roots,
            classes=classes,
            here=where(copies.profile, cloud.region or None),
            teller=lambda key: partial(tell, key, ""),
            note=note,
        )


@dataclass(frozen=True, slots=True)
class LaterHands:
    """``hands`` by the machines' addresses of the moment: they change while a name is parked."""

    session: Session
    cloud: Cloud
    note: Callable[[str], None]
    roots: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)

    def send(self, state: State, volumes: tuple[Volume, ...]) -> Mapping[str, str]:
        """Copy what is on volumes to S3, while programs go on."""
        with hands(self.session, self.cloud, state, self.roots, self.classes, self.note) as able:
            return able.send(state, volumes)

    def prove(self, state: State, volumes: tuple[Volume, ...]) -> Found:
        """Let nothing write any more, and compare."""
        with hands(self.session, self.cloud, state, self.roots, self.classes, self.note) as able:
            return able.prove(state, volumes)

    def fill(self, state: State, volume: Volume, copy: S3Copy) -> None:
        """Bring back what is in S3."""
        with hands(self.session, self.cloud, state, self.roots, self.classes, self.note) as able:
            able.fill(state, volume, copy)

    def free(self, state: State) -> None:
        """Let programs write again."""
        with hands(self.session, self.cloud, state, self.roots, self.classes, self.note) as able:
            able.free(state)


class Once:
    """Says a note once: two copies of one volume have the same to say."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.said: set[str] = set()

    def say(self, text: str) -> None:
        """Say what is new."""
        if text not in self.said:
            self.said.add(text)
            self.tell(text)


def bring_data(session: Session, cloud: Cloud, state: State) -> State:
    """Fill the volumes that wait for their data, and let programs write where a park was cut short.

    Raises PartlyDoneError where not all came back.
    """
    from roost.parking.coordinator import fill_all, waiting

    if not may_be_in_s3(state):
        return state
    missing = waiting(state)
    for volume, copy in missing:
        session.say(
            f"the data of volume {volume.name} comes from {copy.place} ({copy.used_gib:g} GiB)"
        )
        session.say("until all of it is there, nobody but root is let in")
    with hands(session, cloud, state, {}, {}, Once(session.say).say) as able:
        able.free(state)
        filled = fill_all(cloud, state, able)
    left = {volume.name for volume, _ in waiting(filled)}
    for volume, _ in missing:
        if volume.name not in left:
            session.say(f"the data of volume {volume.name} is all there")
    return filled


def may_be_in_s3(state: State) -> bool:
    """Whether a volume has a copy in S3, or could be on its way there."""
    import json

    if state.s3_copies:
        return True
    volumes = json.loads(state.record or "{}").get("volumes", ())
    return any(volume.get("park") == "s3" for volume in volumes)


def unfilled(state: State) -> dict[str, str]:
    """What is to be said of volumes whose data is not all back, by their names."""
    from roost.parking.coordinator import waiting

    return {
        volume.name: "data not all back yet: " + command_line("roost", "resume", state.name)
        for volume, _ in waiting(state)
    }


def text_of(copy: S3Copy) -> str:
    """``"data of volume data: s3://..., 12.5 GiB"``."""
    return f"data of volume {copy.name}: {copy.place}, {copy.used_gib:g} GiB"


def removal_of(copy: S3Copy) -> str:
    """The command that removes a copy from the user's bucket; roost never does."""
    endpoint = ("--endpoint-url", copy.endpoint) if copy.endpoint else ()
    return command_line("aws", "s3", "rm", "--recursive", copy.place, *endpoint)
