"""What ``--json`` prints is what ``schema/output`` says, for every command that has it."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

from roost.cli.main import cli
from roost.model.limits import Limits
from roost.model.resources import State
from roost.parking.modes import ParkMode
from roost.parking.planner import plan_park
from roost.plan.up import plan_up
from roost.providers.fake.cloud import FakeCloud, Weather
from roost.reconcile.loop import reconcile
from tests.cli.calling import OUTPUTS, REPO, Ran, Roost
from tests.cli.made import HERE, THERE, put, wanted

SCHEMAS: dict[str, Any] = {
    file.name: json.loads(file.read_text()) for file in sorted(OUTPUTS.glob("*.json"))
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
PARTS = {"instance.schema.json", "limits.schema.json", "error.schema.json"}
"""The schemas that are no command's own."""
PAGE = "http://127.0.0.1:8888/lab?token=secret"


def check(command: str, told: Ran) -> Any:
    """The output, which is as its schema says; nothing else is on stdout."""
    assert told.code == 0, told.err
    schema = SCHEMAS[f"{command}.schema.json"]
    Draft202012Validator(
        schema, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    ).validate(told.json)
    return told.json


def commands(group: click.Group = cli, before: str = "") -> dict[str, click.Command]:
    """All of them; those of a group as ``image-bake``."""
    found: dict[str, click.Command] = {}
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        assert command is not None
        found[before + word] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{before}{word}-")
    return found


def test_every_command_with_json_has_its_schema_and_no_other() -> None:
    having = {
        name
        for name, command in commands().items()
        if any("--json" in param.opts for param in command.params)
    }
    assert {f"{name}.schema.json" for name in having} | PARTS == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_says_what_every_key_is(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])

    def undescribed(schema: Any, place: str) -> list[str]:
        if not isinstance(schema, dict):
            return []
        found = []
        for key, inner in schema.get("properties", {}).items():
            if isinstance(inner, dict) and not {"description", "const"} & inner.keys():
                found.append(f"{place}.{key}")
            found += undescribed(inner, f"{place}.{key}")
        for key, inner in schema.get("$defs", {}).items():
            found += undescribed(inner, key)
        return found + undescribed(schema.get("items"), f"{place}[]")

    assert undescribed(SCHEMAS[name], name) == []
    assert SCHEMAS[name]["description"]


def test_json_md_names_every_schema() -> None:
    text = (REPO / "docs" / "json.md").read_text()
    assert [name for name in SCHEMAS if f"../schema/output/{name}" not in text] == []


PLANS = (
    "examples/ndvi.toml",
    "examples/ndvi.toml --cloud aws",
    "examples/pixinsight.toml",
    "examples/scipion.toml --hours 0",
    "examples/starcluster.toml --region ap-northeast-1",
    "examples/starcluster.toml --cloud openstack",
    "examples/training.toml --hours 0.5 --days 1",
    "examples/prices/course-2022.toml --quotation examples/prices/training-2022.toml",
)


@pytest.mark.parametrize("words", PLANS)
def test_plan(words: str, roost: Roost) -> None:
    plan = check("plan", roost("plan", *words.split(), "--json"))
    assert plan["steps"][0]["verb"] == "record"


def test_a_plan_of_any_step(
    roost: Roost, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each verb of `up` is one that the schema knows."""
    cloud = FakeCloud()
    for way in ("connect", "locate"):
        monkeypatch.setattr(f"roost.app.resolve.{way}", lambda *_: cloud)

    def verbs(file: Path) -> list[str]:
        steps = check("plan", roost("plan", file, "--diff", "--json"))["steps"]
        return [step["verb"] for step in steps]

    want = wanted(write(THERE))
    reconcile(cloud, "there", lambda have, _: plan_up(want, have))
    raw = '[[volumes]]\nname = "raw"\nid = "vol-0123abcd"\nsize = "10GB"\n'
    file = write(THERE.replace("100GB", "200GB") + raw)
    assert verbs(file) == ["record", "adopt", "modify"]
    reconcile(cloud, "there", lambda have, _: plan_park(have, {"data": ParkMode.ARCHIVE}))
    cloud.wait("there", 0)
    assert verbs(write(THERE)) == ["restore"]


@pytest.mark.parametrize(
    "words", ["", "--gpus 1 --region ap-southeast-3 --limit 200", "--arch arm64 --cpus 4 --limit 1"]
)
def test_prices(words: str, roost: Roost) -> None:
    assert check("prices", roost("prices", *words.split(), "--json"))


def test_a_false_zero_does_not_pass() -> None:
    """The schema is strict: what it should refuse, it refuses."""
    validator = Draft202012Validator(SCHEMAS["plan.schema.json"]["$defs"]["unpriced"])
    validator.validate({"known": False, "usd": None})
    for wrong in ({"known": False, "usd": 0}, {"known": True, "usd": None}, {"usd": 0}):
        with pytest.raises(ValidationError):
            validator.validate(wrong)


class TestYourOwnMachine:
    """Instances made by hand: nothing runs, and all that can be looked at is there."""

    @pytest.fixture(autouse=True)
    def made(self, alone: Path, write: Callable[..., Path]) -> None:
        put(alone, wanted(write(HERE)), "head", "worker-1")

    def test_show(self, roost: Roost) -> None:
        shown = check("show", roost("show", "here", "--json"))
        assert [(i["name"], i["state"]) for i in shown["instances"]] == [
            ("head", "stopped"),
            ("worker-1", "stopped"),
        ]

    def test_ls(self, roost: Roost, alone: Path) -> None:
        assert check("ls", roost("ls", "--json"))[0]["states"] == {"stopped": 2}
        (alone / "local" / "half").mkdir()
        assert [row["kind"] for row in check("ls", roost("ls", "--json"))] == ["unknown", "cluster"]

    def test_ls_of_nothing(self, roost: Roost, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ROOST_HOME", "/nonexistent")
        assert check("ls", roost("ls", "--json")) == []

    def test_logs(self, roost: Roost, alone: Path) -> None:
        logs = alone / "local" / "here" / "machines" / "head" / "logs"
        logs.mkdir()
        (logs / "setup.log").write_text("one\ntwo\n")
        assert check("logs", roost("logs", "here", "--json", "-n", "1")) == {
            "head": "--- setup\ntwo",
            "worker-1": "",
        }

    def test_stop(self, roost: Roost) -> None:
        stopped = check("stop", roost("stop", "here", "--json"))
        assert {i["state"] for i in stopped["instances"]} == {"stopped"}

    def test_down(self, roost: Roost) -> None:
        gone = check("down", roost("down", "here", "--json", "--yes"))
        assert gone == {
            "name": "here",
            "deleted": ["head", "worker-1"],
            "left": [],
            "unexpected": [],
        }


class TestACloud:
    """On a cloud in memory: the commands themselves, from up to down."""

    @pytest.fixture(autouse=True)
    def _there(self, cloud: FakeCloud) -> None:
        del cloud

    @pytest.fixture
    def cluster(self, roost: Roost, write: Callable[..., Path]) -> Path:
        """Head and two workers, up."""
        file = write('cloud = "aws"' + HERE + '[aws]\nregion = "us-east-1"\n')
        check("up", roost("up", file, "--json", "--yes"))
        return file

    @pytest.fixture
    def desktop(self, roost: Roost, write: Callable[..., Path]) -> Path:
        """A desktop with a volume, up."""
        file = write(THERE)
        check("up", roost("up", file, "--json", "--yes"))
        return file

    def test_a_life(self, roost: Roost, cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert check("up", roost("up", cluster, "--json"))["address"] is None
        monkeypatch.setattr("roost.ssh.browser.address_of", lambda *_: PAGE)
        assert check("up", roost("up", cluster, "--json"))["address"] == PAGE
        assert check("open", roost("open", "here", "--json")) == {"name": "here", "address": PAGE}
        assert check("show", roost("show", "here", "--json"))["address"] == PAGE
        assert len(check("scale", roost("scale", "here", 3, "--yes", "--json"))["instances"]) == 4
        stopped = check("stop", roost("stop", "here", "--json"))
        assert {i["state"] for i in stopped["instances"]} == {"stopped"}
        started = check("start", roost("start", "here", "--json"))
        assert {i["state"] for i in started["instances"]} == {"running"}
        assert len(check("restart", roost("restart", "here", "--json"))["instances"]) == 4
        assert len(check("logs", roost("logs", "here", "--json"))) == 4
        assert len(check("down", roost("down", "here", "--yes", "--json"))["deleted"]) == 4

    def test_where_only_a_part_could_be_had_that_part_is_printed(
        self, cloud: FakeCloud, roost: Roost, write: Callable[..., Path]
    ) -> None:
        file = write('cloud = "aws"' + HERE + 'min = 1\n[aws]\nregion = "us-east-1"\n')
        check("up", roost("up", file, "--json", "--yes"))
        cloud.weather = Weather(capacity={"m5a.large": 1})
        told = roost("scale", "here", 4, "--yes", "--json")
        assert told.code == 3
        assert "here is up without worker-3, worker-4" in told.err
        found = check("scale", dataclasses.replace(told, code=0))
        assert [i["name"] for i in found["instances"]] == ["head", "worker-1", "worker-2"]

    def test_down_names_the_volumes_that_it_keeps(self, roost: Roost, desktop: Path) -> None:
        del desktop
        assert check("down", roost("down", "there", "--yes", "--json")) == {
            "name": "there",
            "deleted": ["desktop"],
            "left": ["data"],
            "unexpected": [],
        }

    def test_resize(self, roost: Roost, desktop: Path) -> None:
        del desktop
        told = roost("resize", "there", "--type", "m7i.2xlarge", "--yes", "--json")
        (machine,) = check("resize", told)["instances"]
        assert (machine["type"], machine["state"]) == ("m7i.2xlarge", "running")

    def test_parking(self, roost: Roost, desktop: Path) -> None:
        del desktop
        parked = check("park", roost("park", "there", "--yes", "--json"))
        assert [(s["volume"], s["size_gib"], s["tier"]) for s in parked["snapshots"]] == [
            ("data", 100, "standard")
        ]
        assert [i["instance"] for i in parked["images"]] == ["desktop"]
        assert (parked["volumes"], parked["instances"], parked["addresses"]) == ([], [], [])
        (machine,) = check("resume", roost("resume", "there", "--yes", "--json"))["instances"]
        assert (machine["name"], machine["state"]) == ("desktop", "running")

    def test_parking_with_everything_kept(self, roost: Roost, desktop: Path) -> None:
        del desktop
        kept = check("park", roost("park", "there", "--mode", "keep", "--yes", "--json"))
        assert (kept["volumes"], kept["instances"]) == (["data"], ["desktop"])
        assert (kept["snapshots"], kept["images"]) == ([], [])

    def test_advice(self, roost: Roost, desktop: Path) -> None:
        """us-east-1: gp3 0.08, snapshots 0.05, S3 STANDARD 0.023 a GB-month; 73 days: 2.4 months"""
        del desktop
        told = roost("park", "there", "--advise", "--days", 73, "--json")
        advice = check("park", told)
        assert (advice["name"], advice["days"]) == ("there", 73)
        (data,) = advice["volumes"]
        ways = {way["way"]: way for way in data["ways"]}
        assert ways["keep"]["total"] == {"usd": 19.2, "known": True, "at_most": False}
        assert ways["snapshot"]["total"] == {"usd": 12.0, "known": True, "at_most": True}
        assert ways["s3 STANDARD"]["per_month"]["usd"] == 2.3
        assert (ways["archive"]["minimum_days"], ways["archive"]["days_charged"]) == (90, 90)
        assert ways["discard"]["total"]["usd"] == 0
        # 100 x 0.0125 x 2.4 = 3, and 100 GB of retrieval at 0.01
        assert ways["s3 STANDARD_IA"]["total"]["usd"] == 4.0
        assert data["best"] == "s3 STANDARD_IA"


def test_cost_of_what_has_no_price(
    cloud: FakeCloud, roost: Roost, write: Callable[..., Path]
) -> None:
    """What AWS costs is in tests/aws/test_cost.py; elsewhere there is nothing to pay for."""
    check("up", roost("up", write(THERE), "--json", "--yes"))
    cloud.name = "fake"
    cost = check("cost", roost("cost", "there", "--json"))
    assert (cost["spent"]["most"]["usd"], cost["per_hour"]["usd"], cost["budget"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("words", "name", "allowed"),
    [
        ("examples/pixinsight.toml", "roost-pixinsight", "ec2:RunInstances"),
        ("examples/training.toml --operator", "roost-training-operator", "ec2:StartInstances"),
        ("--region eu-central-1", "roost", "ec2:CreateSnapshot"),
        ("examples/pixinsight.toml --machine", "roost-pixinsight-machine", "s3:PutObject"),
    ],
)
def test_iam(words: str, name: str, allowed: str, roost: Roost) -> None:
    found = check("iam", roost("iam", *words.split(), "--json"))
    assert found["name"] == name
    assert allowed in {a for one in found["policy"]["Statement"] for a in one["Action"]}
    assert f"{name} " in found["commands"][0]
    assert ("trust" in found) == ("--machine" in words)


def test_doctor_of_your_own_machine(roost: Roost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", {"uv": "/usr/bin/uv"}.get)
    assert check("doctor", roost("doctor", "examples/ndvi.toml", "--json")) == {
        "ok": True,
        "checks": [{"check": "uv", "verdict": "ok", "text": "/usr/bin/uv", "mend": None}],
    }


def test_doctor_without_ssh(roost: Roost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", {"uv": "/usr/bin/uv"}.get)
    monkeypatch.setattr("roost.providers.aws.account.AwsDoctor.examine", lambda *_: ())
    told = roost("doctor", "examples/scipion.toml", "--json")
    assert told.code == 1
    found = check("doctor", dataclasses.replace(told, code=0))
    assert (found["ok"], [one["verdict"] for one in found["checks"]]) == (
        False,
        ["ok", "problem", "ok"],
    )
    assert "apt install openssh-client" in found["checks"][1]["mend"]


ANSWERS = (
    '{"end": "2027-01-01T02:00:00+00:00", "idle_not_before": null, "budget_left_usd": 3.5}',
    '{"end": null, "idle_not_before": "2027-01-01T02:00:00+00:00", "budget_left_usd": null}',
)


@pytest.mark.parametrize("answer", ANSWERS)
def test_extend(
    answer: str,
    cloud: FakeCloud,
    roost: Roost,
    write: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del cloud
    check("up", roost("up", write(THERE), "--json", "--yes"))
    monkeypatch.setattr("roost.app.connect.connected", lambda *way: way[-2:])
    monkeypatch.setattr("roost.app.extend.ask_all", _answering(answer))
    found = check("extend", roost("extend", "there", "2h", "--json"))
    held = {key: value for key, value in found["nodes"]["desktop"].items() if value is not None}
    assert held == {key: value for key, value in json.loads(answer).items() if value is not None}


def _answering(answer: str) -> Callable[..., Any]:
    """Machines that all answer so; what they are asked is in tests/recipes/test_extend.py."""

    def ask(ways: list[Any], state: State, words: tuple[str, ...]) -> Any:
        assert (state.name, words) == ("there", ("7200",))
        return [(node, Limits.of(json.loads(answer))) for _, node in ways]

    return ask
