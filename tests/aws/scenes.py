"""Scenes of the life of desktops and clusters on AWS, each with what comes before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from roost.model.resources import (
    Address,
    Group,
    KeyPair,
    Rule,
    SecurityGroup,
    Shape,
    State,
    Volume,
    Wanted,
)
from tests.aws.conftest import Account
from tests.aws.strict import Weather

SHAPE = Shape(type="m5.large", cpus=2, memory_gib=8, image="ubuntu-24.04", disk_gib=30)
RULES = (Rule(port=22, source="caller"), Rule(port=443, source="192.0.2.0/24"))
DESKTOP = Wanted(
    name="stars",
    record='{"name": "stars", "kind": "desktop", "tags": {"group": "astro"}}',
    groups=(Group(role="desktop", count=1, shape=SHAPE),),
    key_pairs=(KeyPair(name="stars"),),
    security_groups=(SecurityGroup(name="stars", rules=RULES),),
    volumes=(Volume(name="data", size_gib=500, type="gp3", holder="desktop", mount="/data"),),
    addresses=(Address(name="desktop", holder="desktop"),),
)


def cluster(workers: int = 3, *, spot: bool = False) -> Wanted:
    worker = Shape(
        type="m5.xlarge", cpus=4, memory_gib=16, image="ubuntu-24.04", disk_gib=30, spot=spot
    )
    return Wanted(
        name="ndvi",
        record='{"name": "ndvi", "kind": "cluster"}',
        groups=(
            Group(role="head", count=1, shape=SHAPE),
            Group(role="worker", count=workers, shape=worker),
        ),
        key_pairs=(KeyPair(name="ndvi"),),
        security_groups=(SecurityGroup(name="ndvi", rules=RULES[:1]),),
    )


def names(state: State) -> dict[str, str]:
    return {i.name: i.state for i in state.instances}


SCENES: dict[str, Callable[[Account], object]] = {
    "desktop up": lambda a: a.up(DESKTOP),
    "desktop stop": lambda a: a.stop("stars"),
    "desktop down": lambda a: a.down("stars"),
    "desktop discard": lambda a: a.down("stars", frozenset({"data"})),
    "cluster up": lambda a: a.up(cluster()),
    "cluster grow": lambda a: a.up(cluster(5)),
    "cluster shrink": lambda a: a.up(cluster(1)),
    "cluster stop": lambda a: a.stop("ndvi"),
    "cluster down": lambda a: a.down("ndvi"),
    "desktop park": lambda a: a.park("stars"),
    "desktop resume": lambda a: a.up(DESKTOP),
    "desktop park again": lambda a: a.park("stars"),
    "desktop park s3": lambda a: a.park("stars", data="s3"),
    "desktop resume s3": lambda a: a.up(DESKTOP),
    "desktop park s3 again": lambda a: a.park("stars", data="s3"),
    "desktop archive": lambda a: a.park("stars", data="archive"),
    "desktop resize": lambda a: a.resize(LARGER, "desktop"),
    "desktop grow": lambda a: a.up(replace(DESKTOP, volumes=(LARGER_DATA,))),
    "desktop parked down": lambda a: a.down("stars", frozenset({"stars"})),
    "desktop start": lambda a: a.up(DESKTOP),
    "cluster resize": lambda a: a.resize(LARGER_HEAD, "head"),
    "cluster park": lambda a: a.park("ndvi"),
    "cluster resume": lambda a: a.up(cluster()),
}
LARGER_DATA = replace(DESKTOP.volumes[0], size_gib=800)
LARGER = replace(
    DESKTOP,
    record='{"name": "stars", "kind": "desktop", "larger": true}',
    groups=(Group(role="desktop", count=1, shape=replace(SHAPE, type="m5.4xlarge")),),
)
LARGER_HEAD = replace(
    cluster(),
    record='{"name": "ndvi", "kind": "cluster", "larger": true}',
    groups=(replace(LARGER.groups[0], role="head"), cluster().groups[1]),
)
BEFORE = {
    "desktop start": ("desktop up", "desktop stop"),
    "desktop up": (),
    "cluster up": (),
    "desktop resume": ("desktop up", "desktop park"),
    "desktop park again": ("desktop up", "desktop park", "desktop resume"),
    "desktop parked down": ("desktop up", "desktop park"),
    "desktop resume s3": ("desktop up", "desktop park s3"),
    "desktop park s3 again": ("desktop up", "desktop park s3", "desktop resume s3"),
    "cluster resume": ("cluster up", "cluster park"),
}
"""What comes before a scene, where that is not just its ``up``."""


def prepare(account: Account, scene: str) -> None:
    """What must be there for the scene to begin; and then nothing is counted yet."""
    account.ec2.weather = Weather()
    account.ec2.discarded = {"data"} if scene in DISCARDS else set()
    for before in BEFORE.get(scene, (f"{scene.split(maxsplit=1)[0]} up",)):
        SCENES[before](account)
    account.settle()
    account.ec2.begin()


DISCARDS = ("desktop discard", "desktop parked down")
