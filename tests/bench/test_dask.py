"""A Dask cluster on rented machines: its notebook, its jobs, its workers that come and go."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roost.recipes.dask import remote
from tests.bench.bench import REPO, Bench, Machine, Roost, wait_for

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.bench, pytest.mark.long, pytest.mark.timeout(2400)]

NDVI = """\
name = "ndvi"
kind = "cluster"
cloud = "aws"
shared = "/shared"

[aws]
region = "{region}"

[environment]
project = "ndvi"

[jupyter]
notebook = "ndvi.ipynb"

[run]
command = ["python", "ndvi.py"]

[head]
type = "m7i.large"
image = "debian-12"

[workers]
count = 3
type = "m7i.large"
image = "debian-12"

[access]
ssh = ["{caller}"]
"""
SPOT = """\
name = "plain"
kind = "cluster"
cloud = "aws"

[aws]
region = "{region}"

[head]
type = "t3.small"
image = "debian-12"

[workers]
count = 2
type = "t3.small"
image = "debian-12"
spot = true

[access]
ssh = ["{caller}"]
"""
PACKAGES = ("ca-certificates", "nfs-common", "nfs-kernel-server", "python3-venv")
JOBS = Path(__file__).parent / "jobs"
PATIENCE = 180_000
"""Milliseconds."""
WHERE = "/var/lib/roost/cluster/local"
SCHEDULER = 8786
EVERYTHING = (
    "ps axww; journalctl --no-pager; cat /var/log/roost.log /var/log/cloud-init*.log"
    " /var/lib/roost/status.json /etc/roost/handover.json;"
    " cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ"
)
"""All that others on a machine could read, or that a machine keeps of what it did."""


class Cluster:
    """A cluster as its user has it."""

    def __init__(self, bench: Bench, roost: Roost, name: str) -> None:
        self.bench, self.roost, self.name = bench, roost, name

    @property
    def head(self) -> Machine:
        return self.bench.machine(self.name, "head")

    def workers(self) -> set[str]:
        """Those that the scheduler knows."""
        said = self.head.run("cat", f"{WHERE}/{self.name}/members.json")
        return set(json.loads(said.out)) if said.code == 0 else set()

    def has(self, *numbers: int) -> None:
        """Until these are all workers."""
        wanted = {f"worker-{number}" for number in numbers}
        wait_for(lambda: self.workers() == wanted, 180, f"{sorted(wanted)} at work")

    def bring(self, folder: str, *names: str) -> None:
        """Programs of the folder ``jobs``."""
        for name in names:
            self.roost("cp", JOBS / name, f"{self.name}:{folder}/").ok()

    @contextmanager
    def job(self, program: str) -> Iterator[subprocess.Popen[str]]:
        """A job that goes on meanwhile; its first line has come."""
        line = self.roost.line("run", self.name, "--", "python", program)
        pipe = subprocess.PIPE
        with subprocess.Popen(
            line, env=self.roost.environment, stdin=pipe, stdout=pipe, text=True
        ) as job:
            try:
                yield job
            finally:
                job.kill()


@pytest.fixture
def ndvi(bench: Bench, roost: Roost) -> Cluster:
    """Of the example's project, up; what its packages are is in the image already."""
    bench.debian(bench.layer("dask", PACKAGES))
    shutil.copytree(
        REPO / "examples" / "ndvi",
        roost.home / "ndvi",
        ignore=shutil.ignore_patterns("results", "__pycache__"),
    )
    file = roost.file(NDVI.format(region=bench.region, caller=bench.caller))
    said = roost("up", file, "--yes", seconds=1500).ok()
    for part in ("installing the Python environment", "starting Dask", "starting JupyterLab"):
        assert re.search(rf"\d+/\d+ {part}", said.err), said.err
    return Cluster(bench, roost, "ndvi")


def test_a_cluster_with_a_notebook(bench: Bench, roost: Roost, ndvi: Cluster) -> None:
    assert ndvi.workers() == {"worker-1", "worker-2", "worker-3"}
    if CHROMIUM is not None:
        the_notebook_runs_on_the_workers(ndvi)
    the_command_of_the_file(ndvi)
    nobody_gets_in_without_the_secrets(bench, ndvi)
    no_secret_is_where_others_read(bench, ndvi)
    a_machine_is_killed_in_mid_job(bench, ndvi)
    scaling_retires_first(ndvi)
    the_project_is_renewed_and_nothing_of_the_users_lost(ndvi)
    stop_and_start(ndvi)
    from_images(bench, ndvi)
    roost("down", "ndvi", "--yes").ok()
    assert bench.left() == {}


def the_notebook_runs_on_the_workers(ndvi: Cluster) -> None:
    address = ndvi.roost("open", "ndvi", "--no-browser").ok().out.strip()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{address.partition('?')[0]}api/contents", timeout=30)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1680, "height": 1050})
        page.goto(address, timeout=PATIENCE)
        run_notebook(page)
        browser.close()
    ndvi.bring("/shared/ndvi", "equal_notebook.py")
    said = ndvi.roost("run", "ndvi", "--", "python", "equal_notebook.py").ok().out
    assert said == "equal 2465000\n"
    ndvi.roost("open", "ndvi", "--close").ok()


def run_notebook(page: Page) -> None:
    """All of its cells, in the page as it comes: the notebook beside the cluster's panes."""
    heading = page.locator(".jp-Notebook h1").first
    expect(heading).to_contain_text("How green is the land?", timeout=PATIENCE)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=PATIENCE)
    sidebar = page.locator("#dask-dashboard-launcher")
    expect(sidebar.get_by_text("Number of Workers: 3")).to_be_in_viewport(timeout=PATIENCE)
    page.locator("#jp-MainMenu").get_by_text("Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).first.click()
    expect(page.locator(".jp-OutputArea-output img")).to_have_count(1, timeout=PATIENCE)
    expect(page.get_by_text("greenest zone 0.60")).to_have_count(1)


def the_command_of_the_file(ndvi: Cluster) -> None:
    said = ndvi.roost("run", "ndvi", "--", "--json").ok().json
    assert said["workers"] == 3
    assert said["files"][0].startswith("/shared/ndvi/results/")
    assert "equal" in ndvi.roost("run", "ndvi", "--", "python", "check.py").ok().out
    assert ndvi.roost("run", "ndvi", "--", "sh", "-c", "exit 7").code == 7
    scaled = "from roost.dask import RoostCluster; RoostCluster().scale(9)"
    refused = ndvi.roost("run", "ndvi", "--", "python", "-c", scaled)
    assert refused.code == 1
    assert "type `roost scale ndvi 9` on your own computer" in refused.err
    login = ("bash", "-lc", "python -c 'from dask.distributed import Client; print(Client())'")
    assert "tls://" in ndvi.roost("ssh", "ndvi", "--", *login).ok().out


def nobody_gets_in_without_the_secrets(bench: Bench, ndvi: Cluster) -> None:
    """From one of the cluster's own machines, which the firewall lets through."""
    worker = bench.machine("ndvi", "worker-1")
    there = f"{ndvi.head.private}:{SCHEDULER}"
    # The refusal comes after the handshake, from whom nobody would wait for with nothing to say.
    said = worker.shell(f"sleep 3 | openssl s_client -connect {there} -brief 2>&1").out
    assert "TLSv1.3" in said
    assert "certificate required" in said
    listening = ndvi.head.shell("ss -Hltn | awk '{print $4}'").ok().out.split()
    outside = {one for one in listening if not one.startswith(("127.", "[::1]"))}
    ours = {one for one in outside if one.rpartition(":")[2] in ("8888", "8786", "8787")}
    assert ours == {there}


def no_secret_is_where_others_read(bench: Bench, ndvi: Cluster) -> None:
    token = ndvi.head.run("cat", "/etc/roost/secrets/jupyter-token").ok().out.strip()
    key = ndvi.head.run("sed", "-n", "2p", "/etc/roost/secrets/dask-key.pem").ok().out.strip()
    assert len(token) == 64
    assert len(key) > 40
    for node in ("head", "worker-1", "worker-2"):
        machine = bench.machine("ndvi", node)
        said = machine.shell(EVERYTHING).out
        assert "roost" in said
        assert token not in said
        assert key not in said
        for secret in remote.SHARED:
            file = f"/etc/roost/secrets/{secret}"
            assert machine.run("stat", "-c", "%a %U", file).ok().out == "600 root\n"


def a_machine_is_killed_in_mid_job(bench: Bench, ndvi: Cluster) -> None:
    ndvi.bring("/shared/ndvi", "equal.py")
    with ndvi.job("equal.py") as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "begun\n"
        wait_for(lambda: ndvi.head.run("/etc/roost/busy.d/50-dask").code == 0, 60, "it is busy")
        bench.machine("ndvi", "worker-2").crash()
        assert job.stdout.readline() == "equal\n"
        assert job.wait(60) == 0
    ndvi.has(1, 3)


def scaling_retires_first(ndvi: Cluster) -> None:
    """To five, the dead one started again; and back to two, with what the others held."""
    ndvi.roost("scale", "ndvi", 5, "--yes", seconds=1200).ok()
    ndvi.has(1, 2, 3, 4, 5)
    ndvi.bring("/shared/ndvi", "hold.py")
    with ndvi.job("hold.py") as job:
        assert job.stdin is not None
        assert job.stdout is not None
        assert job.stdout.readline() == "held by 5\n"
        ndvi.roost("scale", "ndvi", 2).ok()
        assert ndvi.workers() == {"worker-1", "worker-2"}
        job.stdin.write("\n")
        job.stdin.flush()
        assert job.stdout.readline() == "the same, held by 2\n"


def the_project_is_renewed_and_nothing_of_the_users_lost(ndvi: Cluster) -> None:
    scheduler = ndvi.head.run("systemctl", "show", "-p", "MainPID", "roost-scheduler").out
    ndvi.roost("ssh", "ndvi", "--", "sh", "-c", "echo '# mine' >> ndvi/check.py").ok()
    for name in ("check.py", "ndvi_map.py"):
        with (ndvi.roost.home / "ndvi" / name).open("a") as file:
            file.write("# from home\n")
    ndvi.roost("up", ndvi.roost.home / "spec.toml", "--yes").ok()
    last = {
        name: ndvi.head.run("tail", "-n", 1, f"/shared/ndvi/{name}").ok().out
        for name in ("check.py", "ndvi_map.py")
    }
    assert last == {"check.py": "# mine\n", "ndvi_map.py": "# from home\n"}
    assert "kept, because it was changed here" in ndvi.head.run("cat", "/var/log/roost.log").out
    # Nobody's results are lost for it; and there are as many workers as in the file.
    assert ndvi.head.run("systemctl", "show", "-p", "MainPID", "roost-scheduler").out == scheduler
    assert ndvi.workers() == {"worker-1", "worker-2", "worker-3"}


def stop_and_start(ndvi: Cluster) -> None:
    ndvi.roost("stop", "ndvi").ok()
    ndvi.roost("start", "ndvi", seconds=1200).ok()
    ndvi.has(1, 2, 3)
    said = ndvi.roost("run", "ndvi", "--", "--json", "--out", "again").ok().json
    assert said["workers"] == 3


def from_images(bench: Bench, ndvi: Cluster) -> None:
    """What takes long is in them, and no secret is."""
    roost, token = ndvi.roost, "/etc/roost/secrets/jupyter-token"
    old = ndvi.head.run("cat", token).ok().out.strip()
    for node in ("head", "worker-1"):
        roost("image", "bake", "ndvi", "--node", node, "--as", node, "--yes").ok()
    roost("down", "ndvi", "--yes").ok()
    said = roost("up", roost.home / "spec.toml", "--yes").ok().err
    assert "head: starts from image head" in said
    assert "worker: starts from image worker-1" in said
    assert "installing the Python environment" not in said
    assert ndvi.workers() == {"worker-1", "worker-2", "worker-3"}
    assert roost("run", "ndvi", "--", "--json").ok().json["workers"] == 3
    assert ndvi.head.run("cat", token).ok().out.strip() != old
    searched = "/etc /home /opt/roost/bin /opt/roost/project /root /var/lib /var/log"
    for node in ("head", "worker-1"):
        found = bench.machine("ndvi", node).shell(f"grep -rlsF {old} {searched}")
        assert (found.code, found.out) == (1, "")
        roost("image", "rm", node, "--yes").ok()


def test_spot_workers_hand_over_when_they_are_taken_back(bench: Bench, roost: Roost) -> None:
    """Without a project, and without a shared folder."""
    bench.debian(bench.layer("dask", PACKAGES))
    file = roost.file(SPOT.format(region=bench.region, caller=bench.caller))
    roost("up", file, "--yes", seconds=1500).ok()
    plain = Cluster(bench, roost, "plain")
    plain.has(1, 2)
    plain.bring("plain", "hold.py")
    with plain.job("hold.py") as job:
        assert job.stdin is not None
        assert job.stdout is not None
        assert job.stdout.readline() == "held by 2\n"
        bench.machine("plain", "worker-1").take_back(120)
        plain.has(2)
        # Long before its machine goes, and it does not come back meanwhile.
        assert bench.machine("plain", "worker-1").state == "running"
        job.stdin.write("\n")
        job.stdin.flush()
        assert job.stdout.readline() == "the same, held by 1\n"
    roost("down", "plain", "--yes").ok()
    assert bench.left() == {}
