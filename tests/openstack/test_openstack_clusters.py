"""Clusters at a site whose machines boot, by the real command: Dask, Slurm, behind a gateway."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bench.bench import REPO
from tests.openstack.booted import FACTS, MEMORY, Booted, booted
from tests.openstack.site import CLOUD, Site, wait_for

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(2400),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
CLUSTER = f"""kind = "cluster"
cloud = "openstack"

[openstack]
cloud = "{CLOUD}"
guard = "shelve"

[head]
type = "m1.medium"
image = "debian-12-roost"

[workers]
count = 2
type = "m1.medium"
image = "debian-12-roost"

[access]
reach = "public"

"""
NDVI = f"""name = "ndvi"
shared = "/shared"
{CLUSTER}
[environment]
project = "ndvi"

[jupyter]
notebook = "ndvi.ipynb"

[run]
command = ["python", "ndvi.py"]
"""
STAR = f"""name = "star"
scheduler = "slurm"
shared = "/shared"
{CLUSTER}
[environment]
languages = ["python"]

[jupyter]
enabled = false

[[volumes]]
name = "shared"
size = "2GB"
park = "keep"

[schedule]
end = {{end}}
"""
PLAIN = f'name = "plain"\n{CLUSTER}'.replace("public", "jump").replace("count = 2", "count = 1")
PACKAGES = ("ca-certificates", "nfs-common", "nfs-kernel-server", "python3-venv")
"""An image with these is that of the benches' other clusters."""


def workers(cluster: Booted) -> set[str]:
    """Those that Dask's scheduler knows."""
    members = f"/var/lib/roost/cluster/local/{cluster.name}/members.json"
    return set(json.loads(cluster.inside(f"cat {members} || echo []", "head")))


def asked_for(address: str) -> int:
    """The status of a page's answer."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def jupyter_wants_its_token(cluster: Booted) -> None:
    """Through the tunnel of ``roost open``."""
    address = cluster("open", cluster.name, "--no-browser").out.strip()
    page, _, token = address.partition("?")
    assert asked_for(f"{page}api/contents") == 403
    assert asked_for(f"{page}api/contents?{token}") == 200
    cluster("open", cluster.name, "--close")


def ndvi_equals_numpy(ndvi: Booted, count: int, *more: str) -> None:
    """By the file's own command; numpy alone compares it, in the same folder."""
    said = ndvi("run", "ndvi", "--", "--json", *more).json
    assert said["workers"] == count
    folder = Path(said["files"][0]).parent
    assert str(folder).startswith("/shared/ndvi/")
    checked = ndvi("run", "ndvi", "--", "python", "check.py", "--results", folder)
    assert "equal" in checked.out


@pytest.mark.long
def test_ndvi_on_a_dask_cluster_is_equal_to_numpy(site: Site, tmp_path: Path) -> None:
    leave = shutil.ignore_patterns("results", "__pycache__")
    shutil.copytree(REPO / "examples" / "ndvi", tmp_path / "ndvi", ignore=leave)
    with booted(site, tmp_path, "ndvi", PACKAGES) as ndvi:
        up = ndvi("up", ndvi.file(NDVI), "--yes").err
        for part in ("installing the Python environment", "starting Dask", "starting JupyterLab"):
            assert re.search(rf"\d+/\d+ {part}", up), up
        assert workers(ndvi) == {"worker-1", "worker-2"}
        ndvi_equals_numpy(ndvi, 2)
        jupyter_wants_its_token(ndvi)
        ndvi("scale", "ndvi", 1)
        assert set(ndvi.servers) == {"head", "worker-1"}
        assert workers(ndvi) == {"worker-1"}

        before = {node: server.id for node, server in ndvi.servers.items()}
        ndvi("stop", "ndvi")
        assert {s.status for s in ndvi.servers.values()} == {"SHELVED_OFFLOADED"}
        ndvi("start", "ndvi")
        assert {node: server.id for node, server in ndvi.servers.items()} == before
        wait_for(lambda: workers(ndvi) == {"worker-1"}, 180)
        ndvi_equals_numpy(ndvi, 1, "--out", "again")
        ndvi("down", "ndvi", "--yes")
        ndvi.nothing_left()


def all_shelve_themselves(star: Booted) -> None:
    """At the end time, which is moved for it, and with no roost at work: workers hear of it first.

    What is waited for (the ten minutes after the warning, two for the workers) is over at once.
    """
    star.change(FACTS, "head", end=datetime.now(UTC).isoformat())
    star.look("head")
    star.change(MEMORY, "head", told={"end": -10_000.0})
    star.look("head")
    for worker in ("worker-1", "worker-2"):
        assert star.servers[worker].status == "ACTIVE"
        star.look(worker)
    off = "SHELVED_OFFLOADED"
    wait_for(lambda: [n for n, s in star.servers.items() if s.status != off] == ["head"], 240)
    star.change(MEMORY, "head", stopping_since=-10_000.0)
    star.look("head")
    wait_for(lambda: star.servers["head"].status == off, 240)


@pytest.mark.long
def test_a_job_of_slurm_over_two_machines(site: Site, tmp_path: Path) -> None:
    """And the shared volume outlives ``down``, as the file says."""
    both = ["star-worker-1", "star-worker-2"]

    def nodes() -> dict[str, str]:
        said = star.ssh("sinfo --noheader --Node --format='%N %t'")
        return dict(line.split() for line in said.splitlines())

    def job(name: str) -> None:
        """By sbatch, on both; what each says is in the shared folder."""
        each = f"srun --ntasks-per-node=1 sh -c 'hostname | tee {name}-\\$SLURM_NODEID'"
        star.ssh(f'cd /shared && sbatch --wait -N2 -o {name}.out --wrap "{each}"')
        assert sorted(star.ssh(f"cat /shared/{name}.out").split()) == both
        assert sorted(star.ssh(f"cat /shared/{name}-0 /shared/{name}-1").split()) == both

    with booted(site, tmp_path, "star", PACKAGES) as star:
        end = datetime.now(UTC) + timedelta(hours=3)
        file = star.file(STAR.replace("{end}", f"{end:%Y-%m-%dT%H:%M:%SZ}"))
        star("up", file, "--yes")
        wait_for(lambda: nodes() == dict.fromkeys(both, "idle"), 180)
        job("first")
        star.ssh("bash -lc 'pip install --quiet --disable-pip-version-check six==1.16.0'")
        all_shelve_themselves(star)
        star("start", "star")
        wait_for(lambda: nodes() == dict.fromkeys(both, "idle"), 300)
        job("second")

        star("down", "star", "--yes")
        left = star.project.left()
        assert left["servers"] == star.before["servers"]
        assert left["volumes"] == sorted([*star.before["volumes"], "star-shared"])
        star("up", file, "--yes")
        assert sorted(star.ssh("cat /shared/first.out /shared/second.out").split()) == sorted(
            2 * both
        )
        version = 'python -c "import six; print(six.__version__)"'
        line = f"bash -lc 'srun -N2 --ntasks-per-node=1 {version}'"
        wait_for(lambda: nodes() == dict.fromkeys(both, "idle"), 180)
        assert star.ssh(line).split() == ["1.16.0", "1.16.0"]
        star("down", "star", "--yes", "--delete-data", "star")
        star.nothing_left()


@pytest.mark.long
def test_private_machines_behind_the_gateway_that_roost_makes(site: Site, tmp_path: Path) -> None:
    """One floating address for all; everything that is done by ssh goes through it."""
    with booted(site, tmp_path, "plain", PACKAGES) as plain:
        plain("up", plain.file(PLAIN), "--yes")
        assert set(plain.servers) == {"gateway", "head", "worker-1"}
        (address,) = plain.floats
        at = {node: server.addresses["private"] for node, server in plain.servers.items()}
        assert address in [one["addr"] for one in at["gateway"]]
        assert all(len(at[node]) == 1 for node in at if node != "gateway")
        (private,) = (one["addr"] for one in at["head"])
        direct = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", f"debian@{private}"]
        assert subprocess.run([*direct, "true"], capture_output=True, check=False).returncode == 255

        assert plain.ssh("hostname") == "plain-head\n"
        assert plain.ssh("hostname", "worker-1") == "plain-worker-1\n"
        count = "from dask.distributed import Client; print(Client().submit(sum, [40, 2]).result())"
        assert plain("run", "plain", "--", "python", "-c", count).out == "42\n"
        jupyter_wants_its_token(plain)
        plain.roost.file("there and back\n", "brought")
        plain("cp", plain.roost.home / "brought", "plain/worker-1:brought")
        plain("cp", "plain/worker-1:brought", plain.roost.home / "back")
        assert (plain.roost.home / "back").read_text() == "there and back\n"
        assert "plain" in plain("logs", "plain", "worker-1").out

        plain("stop", "plain")
        plain("start", "plain")
        assert plain.floats == [address]
        assert plain.ssh("hostname", "worker-1") == "plain-worker-1\n"
        plain("down", "plain", "--yes")
        plain.nothing_left()
