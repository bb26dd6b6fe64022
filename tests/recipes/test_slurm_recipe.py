"""Slurm on a cluster: its steps whole, what changes them, and its programs by themselves."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from roost.model.resources import Role
from roost.plan.follow import read_work
from roost.recipes.base import Context
from roost.recipes.registry import handover_of, steps_of, uploads_of
from roost.recipes.step import Step
from roost.spec import Spec, load
from tests.recipes.slurm_cluster import (
    CLUSTER,
    PROGRAMS,
    cluster,
    program,
    readable,
    steps,
)

UNITS = "/etc/systemd/system/"
GOLDEN = Path(__file__).parent / "golden" / "slurm.json"


def all_steps(folder: Path, text: str = CLUSTER) -> dict[str, Step]:
    """Of head and worker."""
    spec = cluster(folder, text)
    found = {f"head {name}": step for name, step in steps(spec, "head").items()}
    return {**found, **{f"worker {name}": step for name, step in steps(spec, "worker").items()}}


# --- steps ---------------------------------------------------------------------------------------


@pytest.mark.golden
def test_all_steps(tmp_path: Path) -> None:
    """`make docs` writes them; programs and digests are left out."""
    found = readable(all_steps(tmp_path))
    if os.environ.get("ROOST_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_every_file_of_the_programs_is_one_of_ours() -> None:
    for path in PROGRAMS.glob("slurm-*"):
        assert path.read_text().startswith(("#!/usr/bin/python3\n", "#!/bin/sh\n", "-- "))


def test_scripts_and_units_are_without_fault(tmp_path: Path) -> None:
    """Of Slurm, the shared folder and the languages."""
    scripts = [
        path for kind in ("slurm", "shared", "languages") for path in PROGRAMS.glob(f"{kind}-*")
    ]
    shell = [path for path in scripts if path.read_text().startswith("#!/bin/sh")]
    assert len(shell) == 10
    for path in shell:
        subprocess.run(["sh", "-n", path], check=True, timeout=10)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "sh", *shell], check=True, timeout=60)
    if not shutil.which("systemd-analyze"):
        return
    units = [f for s in all_steps(tmp_path).values() for f in s.files if f.path.startswith(UNITS)]
    for file in units:
        # What they run is on the machine only.
        text = re.sub(r"^(Exec\w+=)\S+", r"\1/bin/true", file.content, flags=re.MULTILINE)
        unit = tmp_path / Path(file.path).name
        unit.write_text(text)
        words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        mine = [line for line in done.stderr.splitlines() if unit.name in line]
        assert mine == [], file.path


def test_another_number_of_workers_is_news_to_slurm_and_to_nothing_else(tmp_path: Path) -> None:
    spec = cluster(tmp_path)
    two, three = (steps(spec, "head", names) for names in (("a", "b"), ("a", "b", "c")))
    assert {name for name in two if two[name] != three[name]} == {"nodes"}
    assert steps(spec, "head", ("b", "a")) == two
    assert "nodes" not in steps(spec, "head", ())
    assert steps(spec, "worker", ("a",)) == steps(spec, "worker", ("a", "b"))


def test_what_a_file_changes(tmp_path: Path) -> None:
    before = all_steps(tmp_path)
    more = CLUSTER.replace('size = "10GB"', 'size = "20GB"')
    assert all_steps(tmp_path, more) == before
    other = all_steps(tmp_path, CLUSTER.replace('name = "star"', 'name = "moon"'))
    assert {name for name in before if before[name] != other[name]} == {"head slurm"}
    alone = all_steps(tmp_path, CLUSTER.replace('shared = "/shared"\n', ""))
    assert "roost-shared" not in json.dumps(readable(alone))
    assert "roost-shared" in json.dumps(readable({"it": before["worker slurm"]}))


OURS = {"munge", "slurm", "nodes"}


def given(spec: Spec) -> Context:
    return Context(uploads=dict.fromkeys(uploads_of(spec), "0" * 64))


def all_of(spec: Spec, role: Role) -> set[str]:
    return {step.name for step in steps_of(spec, role, given(spec))}


def test_a_dask_cluster_has_none_of_it(tmp_path: Path) -> None:
    dask = cluster(tmp_path, CLUSTER.replace('scheduler = "slurm"\n', ""))
    assert all_of(dask, "head").isdisjoint(OURS)
    assert all_of(dask, "worker").isdisjoint(OURS)
    made = list(handover_of(dask, "head", given(dask)).secret_generators)
    assert made == ["reports", "dask-secrets"]
    slurm = cluster(tmp_path)
    assert all_of(slurm, "head") >= OURS - {"nodes"}
    assert list(handover_of(slurm, "head", given(slurm)).secret_generators) == ["reports", "slurm"]
    assert handover_of(slurm, "head", given(slurm)).shared == ("reports.key", "munge.key")
    assert handover_of(slurm, "worker", given(slurm)).secret_generators == {}
    desktop = tmp_path / "desktop.toml"
    desktop.write_text(
        'name = "d"\nkind = "desktop"\n[aws]\nregion = "us-east-1"\n[machine]\ncpus = 2\n'
    )
    assert all_of(load(desktop), "desktop").isdisjoint(OURS)


def test_no_image_holds_what_is_one_clusters_own(tmp_path: Path) -> None:
    for step in all_steps(tmp_path).values():
        if step.name in ("munge", "slurm", "nodes"):
            assert step.own


# --- the key -------------------------------------------------------------------------------------


def make_secret(folder: Path) -> bytes:
    words = {"ROOST_SECRETS": str(folder), "PATH": os.environ["PATH"]}
    subprocess.run(["sh", PROGRAMS / "slurm-secrets"], check=True, env=words, timeout=10)
    return base64.b64decode((folder / "munge.key").read_text(), validate=False)


def test_the_key_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    key = make_secret(tmp_path)
    assert len(key) == 1024
    assert make_secret(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "munge.key").stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    assert make_secret(other) != key


# --- what the system can do ----------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> ModuleType:
    (tmp_path / "etc/slurm").mkdir(parents=True)
    place = tmp_path / "usr/lib/roost/slurm"
    place.mkdir(parents=True)
    (place / "slurm.conf").write_text("ClusterName=star\n")
    return program("slurm-settings")


def found_settings(root: Path) -> tuple[list[str], list[str]]:
    conf = (root / "etc/slurm/slurm.conf").read_text().splitlines()
    assert conf[0] == "ClusterName=star"
    return conf[3:], (root / "etc/slurm/cgroup.conf").read_text().splitlines()[1:]


def plugins(root: Path, *names: str) -> None:
    place = root / "usr/lib/x86_64-linux-gnu/slurm-wlm"
    place.mkdir(parents=True)
    for name in names:
        (place / f"{name}.so").touch()


def test_jobs_are_confined_where_the_kernel_can(tmp_path: Path, settings: ModuleType) -> None:
    plugins(tmp_path, "mpi_pmix", "mpi_pmi2", "job_submit_lua")
    controllers = tmp_path / "sys/fs/cgroup/cgroup.controllers"
    controllers.parent.mkdir(parents=True)
    controllers.write_text("cpuset cpu io memory hugetlb pids rdma misc\n")
    settings.main(tmp_path)
    conf, cgroup = found_settings(tmp_path)
    assert conf == [
        "MpiDefault=pmix",
        "JobSubmitPlugins=lua",
        "ProctrackType=proctrack/cgroup",
        "TaskPlugin=task/cgroup,task/affinity",
    ]
    assert cgroup == ["ConstrainCores=yes", "ConstrainRAMSpace=yes"]
    settings.main(tmp_path)
    assert found_settings(tmp_path) == (conf, cgroup)


@pytest.mark.parametrize("controllers", ["", "io pids\n", None])
def test_jobs_run_all_the_same_where_it_cannot(
    tmp_path: Path, settings: ModuleType, controllers: str | None
) -> None:
    if controllers is not None:
        (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
        (tmp_path / "sys/fs/cgroup/cgroup.controllers").write_text(controllers)
    settings.main(tmp_path)
    conf, cgroup = found_settings(tmp_path)
    nothing = ["ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none"]
    assert conf == ["MpiDefault=none", *nothing]
    assert cgroup == ["CgroupPlugin=cgroup/v1"]


# --- nodes that come and go ----------------------------------------------------------------------


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A controller in a file, and ``scontrol`` and ``squeue`` that ask it."""
    state = tmp_path / "state.json"
    for name in ("scontrol", "squeue"):
        script = tmp_path / name
        fake_slurm = Path(__file__).with_name("fake_slurm.py")
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {fake_slurm} {name} {state} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return state


def tell(state: Path, nodes: dict[str, str], jobs: dict[str, str] | None = None) -> None:
    """Nodes and their states; jobs and their nodes."""
    found = {name: {"State": one} for name, one in nodes.items()}
    state.write_text(json.dumps({"nodes": found, "jobs": jobs or {}, "done": []}))


def told(state: Path) -> dict[str, str]:
    found = json.loads(state.read_text())["nodes"]
    return {name: words["State"] for name, words in found.items()}


def test_a_worker_that_goes_leaves_slurm(fake: Path) -> None:
    nodes = program("slurm-nodes")
    tell(fake, {"s-worker-1": "IDLE", "s-worker-2": "IDLE"})
    assert nodes.retire(["s-worker-2", "s-worker-9"]) == ["s-worker-2"]
    assert told(fake) == {"s-worker-1": "IDLE"}
    assert nodes.retire(["s-worker-2"]) == []
    assert told(fake) == {"s-worker-1": "IDLE"}


def test_a_worker_at_work_stays_and_goes_on_taking_jobs(fake: Path) -> None:
    nodes = program("slurm-nodes")
    tell(fake, {"s-worker-1": "IDLE", "s-worker-2": "MIXED"}, {"17": "s-worker-2"})
    with pytest.raises(nodes.Trouble, match=r"Slurm still runs 17 .*scontrol requeue JOB"):
        nodes.retire(["s-worker-1", "s-worker-2"], patience=0)
    assert told(fake) == {"s-worker-1": "IDLE", "s-worker-2": "IDLE"}
    done = json.loads(fake.read_text())["done"]
    assert [words for words in done if "delete" in words] == []


def test_what_is_no_more_is_forgotten(fake: Path) -> None:
    nodes = program("slurm-nodes")
    tell(fake, {"s-worker-1": "IDLE", "s-worker-2": "DOWN*+DYNAMIC_NORM"}, {"3": "s-worker-2"})
    assert nodes.keep(["s-worker-1", "s-worker-3"]) == ["s-worker-2"]
    assert told(fake) == {"s-worker-1": "IDLE"}
    before = fake.read_text()
    assert nodes.keep(["s-worker-1"]) == []
    assert json.loads(fake.read_text())["nodes"] == json.loads(before)["nodes"]


def test_a_worker_that_was_to_go_and_stays_works_again(fake: Path) -> None:
    nodes = program("slurm-nodes")
    mine = {"State": "IDLE+DRAIN", "Reason": "roost: it goes [root@2026-01-01T00:00:00]"}
    theirs = {"State": "IDLE+DRAIN", "Reason": "its disk is full [ann@2026-01-01T00:00:00]"}
    fake.write_text(json.dumps({"nodes": {"a": mine, "b": theirs}, "jobs": {}, "done": []}))
    assert nodes.keep(["a", "b"]) == []
    assert told(fake) == {"a": "IDLE", "b": "IDLE+DRAIN"}


def test_what_slurm_has_to_do(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines are those of Slurm 22.05, without a node and with two."""
    work = program("slurm-work")
    monkeypatch.setattr(work, "MEMORY", str(tmp_path / "memory" / "free.json"))
    mine = {"State": "IDLE+DRAIN+DYNAMIC_NORM", "Reason": "roost: it goes [root@2026]"}
    busy, free = {"State": "MIXED+DYNAMIC_NORM"}, {"State": "IDLE+DYNAMIC_NORM"}
    queue = [
        "1|R|1|1|1|0|OK|None",
        "2|PD|3|3|1|0|OK|PartitionNodeLimit",
        *(f"3_{n}|PD|1|2|1|3G|OK|PartitionConfig" for n in range(1, 6)),
        "5|PD|1|1|1|1500M|NO|JobHeldUser",
        "a line of another Slurm",
    ]
    nodes = {"s-worker-1": busy, "s-worker-2": free, "s-worker-3": mine}
    fake.write_text(
        json.dumps({"nodes": nodes, "jobs": {"1": "s-worker-1"}, "done": [], "queue": queue})
    )
    found = work.look("s")
    assert told(fake)["s-worker-3"] == "IDLE"  # nobody took it away
    assert found["known"] == ["worker-1", "worker-2", "worker-3"]
    assert sorted(found["free"]) == ["worker-2", "worker-3"]
    read = read_work(json.dumps(found))
    assert read is not None
    assert {
        (j.first, j.count, j.nodes, j.cpus, j.memory_mib, j.alone, j.reason) for j in read.jobs
    } == {
        ("1", 1, 1, 1, 0, False, ""),
        ("2", 1, 3, 3, 0, False, "PartitionNodeLimit"),
        ("3_1", 5, 1, 2, 3072, False, "PartitionConfig"),
        ("5", 1, 1, 1, 1500, True, "JobHeldUser"),
    }
    since = work.since(["a"], 10.0, tmp_path / "since")
    assert (since, work.since(["a", "b"], 15.0, tmp_path / "since")) == ({"a": 0}, {"a": 5, "b": 0})
    assert work.since(["b"], 16.0, tmp_path / "since") == {"b": 1}  # "a" had a job: from then on
    assert work.since(["a"], 20.0, tmp_path / "since") == {"a": 0}


DOWN = (
    "NodeName=s-worker-1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=2 CPUTot=2 CPULoad=14.39"
    " AvailableFeatures=(null) ActiveFeatures=(null) Gres=(null) NodeAddr=10.212.0.4"
    " NodeHostName=s-worker-1 Version=22.05.8 OS=Linux RealMemory=24105 AllocMem=0 FreeMem=7954"
    " Sockets=2 Boards=1 State=DOWN+DYNAMIC_NORM+NOT_RESPONDING ThreadsPerCore=1 TmpDisk=0 Weight=1"
    " Owner=N/A MCS_label=N/A Partitions=main  LastBusyTime=2026-11-27T20:50:44"
    " CfgTRES=cpu=2,mem=24105M,billing=2 AllocTRES= CapWatts=n/a CurrentWatts=0 AveWatts=0"
    " Reason=Not responding [slurm@2026-11-27T20:50:44]\n"
)
"""What Slurm 22.05 said of a machine that ran and whose slurmd hung, three minutes later."""


def test_what_is_down_has_no_job_and_is_told(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines that are away, that end a job, restart, or may have a job, and that are drained."""
    work = program("slurm-work")
    monkeypatch.setattr(work, "MEMORY", str(tmp_path / "free.json"))
    states = {
        "s-worker-1": ("MIXED+DYNAMIC_NORM", "1"),
        "s-worker-2": ("DOWN*+DYNAMIC_NORM+NOT_RESPONDING", "0"),
        "s-worker-3": ("DOWN+DYNAMIC_NORM", "0"),
        "s-worker-4": ("DOWN*+COMPLETING+DYNAMIC_NORM", "0"),
        "s-worker-5": ("DOWN+REBOOT_ISSUED+DYNAMIC_NORM", "0"),
        "s-worker-6": ("DOWN*+DYNAMIC_NORM", "2"),
        "s-worker-7": ("DOWN*+DRAIN+DYNAMIC_NORM", "0"),
        "s-worker-8": ("IDLE+DRAIN+DYNAMIC_NORM", "0"),
        "s-worker-9": ("UNKNOWN*", "0"),
    }
    nodes = {name: {"CPUAlloc": cpus, "State": state} for name, (state, cpus) in states.items()}
    nodes["s-worker-10"] = {"State": "DOWN"}  # nothing is said of jobs
    recorded = work.nodes(DOWN)
    assert work.is_down(recorded["s-worker-1"])
    assert not work.is_down(work.nodes(DOWN.replace("CPUAlloc=0", "CPUAlloc=1"))["s-worker-1"])
    fake.write_text(json.dumps({"nodes": nodes, "jobs": {}, "done": [], "queue": []}))
    read = read_work(json.dumps(work.look("s")))
    assert read is not None
    assert sorted(read.down) == ["worker-2", "worker-3", "worker-7"]
    assert sorted(read.free) == ["worker-2", "worker-3", "worker-7", "worker-8"]
    assert work.close("s", ["worker-2"]) == ["worker-2"]
    assert program("slurm-nodes").retire(["s-worker-2"]) == ["s-worker-2"]


def test_a_worker_without_a_job_is_closed(fake: Path) -> None:
    work = program("slurm-work")
    tell(fake, {"s-worker-1": "IDLE", "s-worker-2": "IDLE"}, {"17": "s-worker-2"})
    assert work.close("s", ["worker-1", "worker-2"]) == ["worker-1"]
    assert told(fake) == {"s-worker-1": "IDLE+DRAIN", "s-worker-2": "IDLE"}


# --- a worker joins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "up"),
    [
        ("IDLE+DYNAMIC_NORM", True),
        ("MIXED+DYNAMIC_NORM", True),
        ("ALLOCATED+DYNAMIC_NORM", True),
        ("IDLE+DRAIN+DYNAMIC_NORM", True),
        ("IDLE*+DYNAMIC_NORM", False),
        ("DOWN*+DYNAMIC_NORM+NOT_RESPONDING", False),
        ("IDLE+DYNAMIC_NORM+NOT_RESPONDING", False),
        ("IDLE+DYNAMIC_NORM+INVALID_REG", False),
        ("UNKNOWN*", False),
        ("", False),
    ],
)
def test_when_a_worker_has_joined(state: str, up: bool) -> None:
    assert program("slurm-join").is_up(state) is up


@pytest.mark.parametrize("joined", [False, True])
def test_after_a_boot_slurm_forgets_what_was_before(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joined: bool
) -> None:
    """Only before this boot has joined: later its jobs are its own, and slurmd may be restarted."""
    join = program("slurm-join")
    monkeypatch.setattr(join, "HERE", tmp_path / "joined")
    monkeypatch.setattr(join, "wait", lambda _: None)
    monkeypatch.setattr(join, "me", lambda: "s-worker-1")
    if joined:
        (tmp_path / "joined").touch()
    before = {"s-worker-1": "MIXED", "s-worker-2": "IDLE"}
    tell(fake, before, {"17": "s-worker-1"})
    join.prepare()
    assert told(fake) == (before if joined else {"s-worker-2": "IDLE"})
    jobs = json.loads(fake.read_text())["jobs"]
    assert jobs == ({"17": "s-worker-1"} if joined else {})


def test_a_worker_that_slurm_does_not_know_just_joins(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    join = program("slurm-join")
    monkeypatch.setattr(join, "HERE", tmp_path / "joined")
    monkeypatch.setattr(join, "wait", lambda _: None)
    monkeypatch.setattr(join, "me", lambda: "s-worker-1")
    tell(fake, {"s-worker-2": "IDLE"})
    join.prepare()
    assert [words[1] for words in json.loads(fake.read_text())["done"]] == ["show"]


def test_a_machine_that_the_cloud_takes_back_leaves_its_jobs_to_others(fake: Path) -> None:
    hostname = fake.with_name("hostname")
    hostname.write_text("#!/bin/sh\necho s-worker-1\n")
    hostname.chmod(0o755)
    at = {"17": "s-worker-1", "170": "s-worker-1", "18": "s-worker-2", "19": "s-worker-1"}
    tell(fake, {"s-worker-1": "MIXED", "s-worker-2": "MIXED"}, at)
    leave = ["sh", str(PROGRAMS / "slurm-leave")]
    done = subprocess.run(leave, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert told(fake) == {"s-worker-1": "IDLE+DRAIN", "s-worker-2": "MIXED"}
    assert json.loads(fake.read_text())["jobs"] == {"170": "s-worker-1", "18": "s-worker-2"}
