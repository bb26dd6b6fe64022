"""``roost plan``: its steps in order, where they are done, and that it asks nobody."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calling import Roost

ORDERS = {
    "ndvi.toml": "record instance instance",
    "ndvi.toml --cloud aws": "record key-pair security-group instance instance",
    "pixinsight.toml": "record key-pair security-group instance volume",
    "scipion.toml": "record key-pair security-group instance volume",
    "starcluster.toml": "record key-pair security-group instance instance volume",
    "training.toml": "record key-pair security-group address instance instance",
}


@pytest.mark.parametrize("words", ORDERS)
def test_what_is_made_before_what(words: str, roost: Roost) -> None:
    steps = roost("plan", *f"examples/{words}".split(), "--json").json["steps"]
    assert " ".join(step["kind"] or step["verb"] for step in steps) == ORDERS[words]
    told = roost("plan", *f"examples/{words}".split()).out
    places = [told.index(f"  {n}. {step['text']}\n") for n, step in enumerate(steps, 1)]
    assert places == sorted(places)


def test_what_the_steps_are_about(roost: Roost) -> None:
    plan = roost("plan", "examples/scipion.toml", "--json").json
    assert plan["steps"][4]["names"] == ["data", "scratch"]
    assert [(v["name"], v["size_gib"], v["mount"], v["instance"]) for v in plan["volumes"]] == [
        ("data", 1024, "/data", "desktop"),
        ("scratch", 500, "/scratch", "desktop"),
    ]
    told = roost("plan", "examples/pixinsight.toml").out
    assert "     data: 500GB gp3 at /data, 6000 IOPS, 500 MiB/s\n" in told
    assert "     c5a.8xlarge: 32 CPU, 64GB, 50GB disk, ubuntu-24.04\n" in told
    training = roost("plan", "examples/training.toml", "--json").json
    assert training["addresses"] == ["gateway"]
    assert "the gateway alone is open" in roost("plan", "examples/training.toml").out


def test_a_classroom_with_many_volumes_lists_the_first(
    roost: Roost, write: Callable[..., Path]
) -> None:
    volume = '\n[[volumes]]\nname = "data"\nsize = "10GB"\n'
    told = roost("plan", write(Path("examples/training.toml").read_text() + volume)).out
    assert "create 21 volumes: seat-1-data, seat-2-data, seat-3-data ... seat-21-data" in told
    assert told.count(": 10GB gp3 at /data\n") == 6


# --- where ---------------------------------------------------------------------------------------


def test_another_region(roost: Roost) -> None:
    told = roost("plan", "examples/starcluster.toml", "--region", "eu-west-1")
    assert told.out.startswith("starcluster: a cluster on aws (eu-west-1)\n")


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (
            ("examples/starcluster.toml", "--region", "eu-wst-1"),
            ("AWS has no region eu-wst-1", 'did you mean "eu-west-1"?'),
        ),
        (
            ("examples/ndvi.toml", "--region", "eu-west-1"),
            (
                'the cloud is "local"',
                "roost plan examples/ndvi.toml --cloud aws --region eu-west-1",
            ),
        ),
        (("examples/training.toml", "--cloud", "local"), ("line 19, cloud: a classroom needs",)),
        (("examples/nvdi.toml",), ('did you mean "examples/ndvi.toml"?',)),
        (("examples/training.toml", "--hours", "25"), ("25",)),
        (("examples/training.toml", "--quotation", "none.toml"), ("none.toml",)),
    ],
)
def test_what_cannot_be_planned(
    words: tuple[str, ...], texts: tuple[str, ...], roost: Roost
) -> None:
    told = roost("plan", *words)
    assert (told.code, told.out) == (2, "")
    for text in texts:
        assert text in told.err


GUARD = """
import sys
def hook(event, args):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.exec", "os.fork"):
        raise RuntimeError(f"{event} {args}: planning asks nobody")
    if event == "open" and any(name in str(args[0]) for name in (".aws", "clouds.yaml", ".boto")):
        raise RuntimeError(f"planning reads no credentials: {args}")
sys.addaudithook(hook)
"""


@pytest.mark.parametrize("words", ORDERS)
def test_no_network_no_process_no_credentials_no_home(
    words: str, program: Roost, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    told = program("plan", *f"examples/{words}".split(), env={"PYTHONPATH": str(tmp_path)})
    assert told.code == 0, told.err
    assert "in this order" in told.out


def test_the_guard_of_the_test_above_guards(program: Roost, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(GUARD + "import socket\nsocket.socket()\n")
    told = program("plan", "examples/scipion.toml", env={"PYTHONPATH": str(tmp_path)})
    assert "planning asks nobody" in told.err


def test_the_highest_price_of_a_spot_machine_is_said(roost: Roost, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        'name = "a"\nkind = "cluster"\ncloud = "aws"\n[aws]\nregion = "eu-central-1"\n[head]\n'
        "cpus = 2\n[workers]\ncpus = 2\nspot = true\nmax_price = 0.05\n"
    )
    assert "spot, for at most $0.05 an hour each" in " ".join(roost("plan", file).out.split())
