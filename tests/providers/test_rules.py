"""What each provider allows, asked without knowing which one it is."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from roost.errors import SpecError, UsageError
from roost.model.host import Host
from roost.model.resources import Role, Shape
from roost.plan.bill import bill_for
from roost.plan.wanted import wanted_of
from roost.providers import rules as registry
from roost.providers.local.cloud import LocalCloud
from roost.providers.rules import NAMES, Launch, check_region, register, rules_of
from roost.spec import Spec, from_json, load
from roost.spec.machine import Machine
from roost.spec.table import wrong
from roost.ssh.config import user_of

SOURCE = Path(registry.__file__).parents[1]
KEPT = Path(__file__).parents[1] / "kept" / "local" / "ndvi" / "machines" / "worker-1"


class MoonTypes:
    cloud = "moon"

    def check(self, name: str, region: str | None, at: tuple[str | int, ...] = ()) -> None:
        if name != "crater":
            raise wrong("the Moon has no such type", allowed='"crater"', at=at)

    def check_alike(self, names: tuple[str, ...]) -> None: ...

    def check_gpu(self, model: str) -> None:
        raise wrong("the Moon has no GPU")

    def check_needs(self, needs: Any, region: str | None) -> None: ...

    def arch(self, name: str) -> str:
        return "arm64"

    def has_gpu(self, name: str) -> bool:
        return False


class MoonDisks:
    types = ("dust", "rock")
    default = "dust"
    root = "rock"

    def check_root(self, gib: float) -> None:
        if gib > 40:
            raise wrong("too large for the Moon")

    def check_volume(self, kind: str, gib: float, iops: int | None, throughput: int | None) -> None:
        if kind == "dust" and iops is not None:
            raise wrong("dust has no iops", at=("iops",))

    most = 3

    def check_ratios(self, kind: str, gib: float, iops: int | None, throughput: int | None) -> None:
        del kind, gib, iops, throughput


class MoonRegions:
    names = ("near-side", "far-side")
    keys = ()


class MoonRules:
    name = "moon"
    title = "the Moon"
    rents = True
    needs_table = ""
    reserved_tags = ("nasa:",)
    most_rules = None
    launch = Launch()
    types = MoonTypes()
    disks = MoonDisks()
    regions = MoonRegions()

    def types_for(self, tables: Collection[str]) -> MoonTypes:
        return self.types

    def runs(self, kind: str, scheduler: str = "") -> bool:
        return kind == "desktop"

    def check_image(self, image: str) -> None:
        if not image.startswith("ubuntu"):
            raise wrong("no such image on the Moon")

    def login_user(self, image: str) -> str:
        return "armstrong"

    def shape(self, spec: Spec, machine: Machine, role: Role, host: Host) -> Shape:
        return Shape(
            type="crater", cpus=2, memory_gib=8, image=machine.image, disk_gib=machine.disk
        )

    def set_up(self, spec: Spec) -> Mapping[str, Any]:
        return {"gravity": 1.62}

    def price_region(self, spec: Spec) -> str:
        return "far-side"

    def place(self, spec: Spec) -> str:
        return "the Moon (far-side)"


@pytest.fixture
def moon() -> Iterator[MoonRules]:
    """A provider that nothing in the middle has heard of."""
    rules = MoonRules()
    register(rules)
    yield rules
    registry._known().pop("moon")


def write(folder: Path, text: str) -> Path:
    file = folder / "x.toml"
    file.write_text(f'name = "x"\nkind = "desktop"\ncloud = "moon"\n{text}')
    return file


def problems(file: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(file)
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


def test_a_third_provider_needs_nothing_but_its_rules(moon: MoonRules, tmp_path: Path) -> None:
    volume = '[[volumes]]\nname = "data"\nsize = "1.5GB"\n'
    spec = load(write(tmp_path, f'[machine]\ntype = "crater"\n{volume}'))
    wanted = wanted_of(spec, Host(1, 1))
    assert [(g.shape.type, g.shape.disk_gib) for g in wanted.groups] == [("crater", 30)]
    assert [(v.type, v.size_gib) for v in wanted.volumes] == [("dust", 1.5)]
    assert [group.name for group in wanted.security_groups] == ["x"]
    bill = bill_for(spec, wanted)
    assert bill is not None
    assert {getattr(item, "volume_type", None) for item in bill.items} == {None, "rock", "dust"}
    assert {item.region for item in bill.items} == {"far-side"}
    assert user_of(wanted.record, "desktop") == "armstrong"
    assert from_json(wanted.record) == spec


def test_what_a_third_provider_sets_up_counts_in_the_fingerprint(
    moon: MoonRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load(write(tmp_path, "[machine]\n"))
    before = wanted_of(spec, Host(1, 1)).groups[0].fingerprint
    monkeypatch.setattr(MoonRules, "set_up", lambda self, spec: {"gravity": 9.81})
    assert wanted_of(spec, Host(1, 1)).groups[0].fingerprint != before


def test_a_third_provider_refuses_by_its_own_rules(moon: MoonRules, tmp_path: Path) -> None:
    machine = '[machine]\ntype = "m7i.large"\nimage = "debian-12"\ndisk = "50GB"\n'
    volumes = (
        '[[volumes]]\nname = "a"\nsize = "1GB"\ntype = "gp3"\n'
        '[[volumes]]\nname = "b"\nsize = "1GB"\niops = 3000\n'
    )
    tags = '[tags]\n"nasa:apollo" = "11"\n'
    assert problems(write(tmp_path, machine + volumes + tags)) == [
        "machine.type: the Moon has no such type",
        "machine.image: no such image on the Moon",
        "machine.disk: too large for the Moon",
        "volumes[1].type: not one of the choices",
        "volumes[2].iops: dust has no iops",
        'tags."nasa:apollo": not a key for a tag',
    ]


def test_a_third_provider_says_what_it_can_run(moon: MoonRules, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('name = "x"\nkind = "classroom"\ncloud = "moon"\nseats = 2\n[machine]\n')
    assert problems(file) == ["cloud: a classroom needs a machine of its own"]


def test_a_region_is_one_of_any_provider_or_of_the_named_one(moon: MoonRules) -> None:
    check_region("far-side")
    check_region("eu-central-1")
    check_region("far-side", "moon")
    with pytest.raises(UsageError, match="AWS has no region far-side"):
        check_region("far-side", "aws")
    with pytest.raises(UsageError, match='the Moon has no region far-sid; did you mean "far-side"'):
        check_region("far-sid", "moon")


def test_it_is_gone_again_for_other_tests() -> None:
    with pytest.raises(UsageError, match='no cloud is called "moon"; there are "local", "aws"'):
        rules_of("moon")


# --- the providers that there are -----------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_filed_under_its_name(name: str) -> None:
    assert rules_of(name).name == name


@pytest.mark.parametrize(
    ("cloud", "image", "user"),
    [
        ("aws", "debian-12", "admin"),
        ("aws", "ubuntu-24.04", "ubuntu"),
        ("aws", "ami-0123456789", "ubuntu"),
        ("openstack", "debian-12", "debian"),
        ("openstack", "ubuntu-24.04", "ubuntu"),
    ],
)
def test_who_one_is_on_an_image(cloud: str, image: str, user: str) -> None:
    assert rules_of(cloud).login_user(image) == user
    record = json.dumps({"cloud": cloud, "machine": {"image": image}})
    assert user_of(record, "desktop") == user


@pytest.mark.parametrize("name", NAMES)
def test_a_default_volume_and_a_root_volume_are_types_that_there_are(name: str) -> None:
    disks = rules_of(name).disks
    assert disks is None or {disks.default, disks.root} <= {*disks.types}


# --- what an older roost kept ---------------------------------------------------------------------


def test_a_machine_of_the_first_version_is_still_read(tmp_path: Path) -> None:
    """It called the right that a machine is launched with by AWS's word, ``profile``."""
    machine = tmp_path / "local" / "ndvi" / "machines" / "worker-1"
    machine.mkdir(parents=True)
    kept = json.loads((KEPT / "tags.json").read_text())
    kept["shape"]["profile"] = "lab"
    (machine / "tags.json").write_text(json.dumps(kept))
    (found,) = LocalCloud(boot=lambda *_: None, at=tmp_path).observe("ndvi").instances  # type: ignore[arg-type,return-value]
    assert (found.role, found.fingerprint) == ("worker", "425f8886")
    assert found.shape == Shape(type="process", cpus=1, memory_gib=9.4, machine_role="lab")


# --- the middle knows none of them ----------------------------------------------------------------

MIDDLE = ("spec", "plan", "cost", "catalogue", "recipes", "model")
OF_A_PROVIDER = {"spec/aws.py", "spec/openstack.py", "spec/local.py"}
"""The tables of the file that are one provider's."""
FILES = sorted(
    path
    for folder in MIDDLE
    for path in (SOURCE / folder).rglob("*.py")
    if str(path.relative_to(SOURCE)) not in OF_A_PROVIDER
)


def named_in(text: str) -> Iterator[str]:
    """Each place where a program looks at which provider it is, or at one provider's table."""
    for node in ast.walk(ast.parse(text)):
        inside = ast.walk(node) if isinstance(node, ast.Compare | ast.match_case) else ()
        if any(isinstance(one, ast.Constant) and one.value in NAMES for one in inside):
            yield f"line {node.lineno if isinstance(node, ast.Compare) else '?'}: compares a name"
        if isinstance(node, ast.Attribute) and node.attr in ("aws", "openstack"):
            yield f"line {node.lineno}: .{node.attr}"


def test_the_middle_is_what_is_looked_at() -> None:
    assert len(FILES) > 60
    assert list(named_in('if spec.cloud == "aws" and spec.aws:\n    pass')) != []
    assert list(named_in('match cloud:\n    case "openstack":\n        pass')) != []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_middle_knows_no_provider(path: Path) -> None:
    assert list(named_in(path.read_text(encoding="utf-8"))) == []
