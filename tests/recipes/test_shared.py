"""The folder that a cluster's machines share: what is exported to whom, and who waits for what."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from roost.recipes.slurm import shared
from roost.recipes.step import Step
from roost.spec import load
from tests.recipes.slurm_cluster import CLUSTER, cluster, readable

GOLDEN = Path(__file__).parent / "golden" / "shared.json"
PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"]


def both(folder: Path, text: str = CLUSTER) -> dict[str, Step]:
    spec = cluster(folder, text)
    (head,), (worker,) = shared.steps(spec, "head"), shared.steps(spec, "worker")
    return {"head": head, "worker": worker}


def exported(folder: Path, text: str) -> tuple[str, dict[str, set[str]]]:
    """The folder, and with which options each network may have it."""
    spec = cluster(folder, text)
    assert spec.shared is not None
    place, *clients = shared.exports(spec, spec.shared).split()
    found = {}
    for client in clients:
        network, _, options = client.rstrip(")").partition("(")
        found[network] = set(options.split(","))
    return place, found


@pytest.mark.golden
def test_all_steps(tmp_path: Path) -> None:
    """`make docs` writes them; programs and digests are left out."""
    found = readable(both(tmp_path))
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_only_private_networks_get_it_and_root_is_nobody_there(tmp_path: Path) -> None:
    place, clients = exported(tmp_path, CLUSTER)
    assert place == "/shared"
    assert list(clients) == PRIVATE
    for options in clients.values():
        assert {"rw", "sync", "root_squash"} <= options
        assert "no_root_squash" not in options


@pytest.mark.parametrize(
    ("folder", "mount", "volume"),
    [
        ("/shared", "/shared", "/shared"),
        ("/data/class", "/data", "/data"),
        ("/shared", "/data", None),
        ("/shared", "/share", None),
    ],
)
def test_the_empty_folder_below_a_volume_is_never_exported(
    tmp_path: Path, folder: str, mount: str, volume: str | None
) -> None:
    text = CLUSTER.replace('shared = "/shared"', f'shared = "{folder}"')
    _, clients = exported(tmp_path, text + f'mount = "{mount}"\n')
    for options in clients.values():
        found = {one for one in options if one.startswith("mountpoint")}
        assert found == ({f"mountpoint={volume}"} if volume else set())


def test_the_nearest_volume_counts(tmp_path: Path) -> None:
    more = 'mount = "/data"\n[[volumes]]\nname = "class"\nsize = "10GB"\nmount = "/data/class"\n'
    spec = cluster(tmp_path, CLUSTER + more)
    assert shared.volume_below(spec, "/data/class/2026") == "/data/class"
    assert shared.volume_below(spec, "/data/other") == "/data"


def test_what_changes_the_steps(tmp_path: Path) -> None:
    before = both(tmp_path)
    assert both(tmp_path, CLUSTER.replace("10GB", "20GB")) == before
    other = both(tmp_path, CLUSTER.replace('"/shared"', '"/class"'))
    assert other["head"] != before["head"]
    assert other["worker"] != before["worker"]
    (unit,) = (f.content for f in other["worker"].files if f.path.endswith(".service"))
    assert "Description=Mount /class of the head\n" in unit


def test_no_folder_no_steps(tmp_path: Path) -> None:
    spec = cluster(tmp_path, CLUSTER.replace('shared = "/shared"\n', ""))
    assert shared.steps(spec, "head") == () == shared.steps(spec, "worker")
    desktop = tmp_path / "desktop.toml"
    desktop.write_text(
        'name = "d"\nkind = "desktop"\n[aws]\nregion = "us-east-1"\n[machine]\ncpus = 2\n'
    )
    assert shared.steps(load(desktop), "desktop") == ()
