"""A general-purpose cluster: MPI, job arrays, languages whose packages outlive it, and scaling."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.bench import Bench, Ran, Roost, wait_for

pytestmark = [pytest.mark.bench, pytest.mark.long, pytest.mark.timeout(2400)]

SPEC = """\
name = "star"
kind = "cluster"
cloud = "aws"
scheduler = "slurm"
shared = "/shared"

[aws]
region = "{region}"

[head]
type = "t3.small"
image = "debian-12"
disk = "12GB"

[workers]
count = 3
type = "t3.small"
image = "debian-12"
disk = "12GB"

[environment]
languages = ["python", "r", "c", "c++", "fortran"]

[jupyter]
enabled = false

[[volumes]]
name = "shared"
size = "4GB"
park = "keep"

[access]
ssh = ["{caller}"]
"""
JOBS = Path(__file__).parent / "jobs"
WORKERS = ["star-worker-1", "star-worker-2", "star-worker-3"]
INSTALLED = "six 1.16.0, roosting 0.7"
PI = "pi 3.141592653590"


class Head:
    """The head, as its user has it: by ``roost ssh``."""

    def __init__(self, roost: Roost) -> None:
        self.roost = roost

    def __call__(self, line: str, seconds: float = 120) -> Ran:
        """A line in the shared folder, as in a login, ended after a while."""
        words = ("timeout", seconds, "bash", "-lc", f"cd /shared && {line}")
        return self.roost("ssh", "star", "--", *words, seconds=seconds + 60)

    def bring(self, *names: str) -> None:
        """Files of the folder ``jobs``, to the shared folder."""
        for name in names:
            self.roost("cp", JOBS / name, "star:/shared/").ok()

    def done(self, seconds: float = 300) -> None:
        """Until Slurm has no job any more."""
        wait_for(lambda: self("squeue --noheader").ok().out.strip() == "", seconds, "no job")

    def nodes(self) -> dict[str, str]:
        """Slurm's nodes and their states."""
        said = self("sinfo --noheader --Node --format='%N %t'").ok().out
        return dict(line.split() for line in said.splitlines())

    def idle(self, *names: str) -> None:
        """Until these are all nodes, and idle."""
        wanted = dict.fromkeys(names, "idle")
        wait_for(lambda: self.nodes() == wanted, 180, f"{', '.join(names)} idle")


@pytest.fixture
def head(roost: Roost) -> Head:
    return Head(roost)


def ranks(said: str) -> list[tuple[int, int, str]]:
    """``rank 0 of 6 on star-worker-1``: which ranks ran where."""
    found = re.findall(r"^rank (\d+) of (\d+) on (\S+)$", said, re.MULTILINE)
    return sorted((int(rank), int(of), where) for rank, of, where in found)


def test_a_cluster_for_a_class(bench: Bench, roost: Roost, head: Head) -> None:
    file = roost.file(SPEC.format(region=bench.region, caller=bench.caller))
    roost("up", file, "--yes", seconds=1500).ok()
    head.idle(*WORKERS)
    said = head("srun -N3 --ntasks-per-node=1 hostname").ok().out
    assert sorted(said.split()) == WORKERS

    mpi_across_nodes(head)
    arrays(head)
    packages_are_installed(head)
    a_job_that_stays_where_it_ran_is_said(head)
    stop_and_start(roost, head)
    scaling(bench, roost, head)
    what_is_installed_outlives_the_cluster(bench, roost, head)
    roost("down", "star", "--yes", "--delete-data", "star").ok()
    assert bench.left() == {}


def mpi_across_nodes(head: Head) -> None:
    """In C and Fortran, compiled on the head, by srun and by mpirun."""
    head.bring("pi.c", "pi.f90", "mpi.sh")
    head("mpicc -O2 pi.c -o pi-c && mpifort -O2 pi.f90 -o pi-fortran").ok()
    for program in ("pi-c", "pi-fortran"):
        said = head(f"srun -N3 --ntasks-per-node=2 ./{program}").ok().out
        found = ranks(said)
        assert [(rank, of) for rank, of, _ in found] == [(n, 6) for n in range(6)]
        assert {where for _, _, where in found} == set(WORKERS)
        assert PI in said
    head("sbatch --parsable -N3 --ntasks-per-node=2 -o mpi.out mpi.sh").ok()
    head.done()
    said = head("cat mpi.out").ok().out
    assert said.count(PI) == 2
    assert {where for _, _, where in ranks(said)} == set(WORKERS)


def arrays(head: Head) -> None:
    """In R and Python: each task has its own number, and all workers take part."""
    head.bring("squares.R", "squares.py")
    head("sbatch --array=1-6 -o r-%a.out squares.R").ok()
    head("sbatch --array=1-6 -o py-%a.out squares.py").ok()
    head.done()
    for language in ("r", "py"):
        lines = head(f"cat {language}-*.out").ok().out.splitlines()
        found = {int(n): (int(total), where) for n, total, where in map(str.split, lines)}
        wanted = {n: sum(k * k for k in range(n + 1)) for n in range(1, 7)}
        assert {n: total for n, (total, _) in found.items()} == wanted
        assert {where for _, where in found.values()} <= set(WORKERS)


def packages_are_installed(head: Head) -> None:
    """By pip, and by R: for all nodes at once."""
    head("pip install --quiet --disable-pip-version-check six==1.16.0", 300).ok()
    head.bring("roosting.R")
    head("Rscript roosting.R", 300).ok()
    assert versions(head, 3) == dict.fromkeys(WORKERS, INSTALLED)


def versions(head: Head, workers: int) -> dict[str, str]:
    """What each worker finds installed."""
    head.bring("versions.sh")
    said = head(f"srun -N{workers} --ntasks-per-node=1 bash versions.sh").ok().out
    return dict(line.split(": ") for line in said.splitlines())


def a_job_that_stays_where_it_ran_is_said(head: Head) -> None:
    """Outside of the shared folder: sbatch says so; inside it says nothing."""
    quiet = head("sbatch -o /dev/null --wrap true").ok()
    assert "is not on all nodes" not in quiet.err + quiet.out
    warned = head("cd && sbatch -o /dev/null --wrap true").ok()
    assert "/home/admin is not on all nodes" in warned.err + warned.out
    head.done()


def stop_and_start(roost: Roost, head: Head) -> None:
    """Nodes come back by themselves, and a job that was at work begins again."""
    head("sbatch --open-mode=append -o again.out --wrap 'echo begins; sleep 30; echo ends'").ok()
    wait_for(lambda: "begins" in head("cat again.out").out, 60, "the job to begin")
    roost("stop", "star").ok()
    roost("start", "star").ok()
    head.done(600)
    head.idle(*WORKERS)
    assert head("cat again.out").ok().out.split() == ["begins", "begins", "ends"]


def scaling(bench: Bench, roost: Roost, head: Head) -> None:
    """A worker at work is not taken away; one more comes, two go, one is lost and comes again."""
    head("sbatch -w star-worker-3 -o /dev/null --wrap 'sleep 600'").ok()
    wait_for(lambda: head.nodes()["star-worker-3"] != "idle", 60, "the job")
    refused = roost("scale", "star", "2")
    assert refused.code != 0
    assert "Slurm still runs" in refused.err
    assert bench.machine("star", "worker-3").state == "running"
    head("scancel --user=admin").ok()
    head.done()

    roost("scale", "star", "4", "--yes").ok()
    head.idle(*WORKERS, "star-worker-4")
    assert len(head("srun -N4 --ntasks-per-node=1 hostname").ok().out.split()) == 4
    roost("scale", "star", "2").ok()
    head.idle("star-worker-1", "star-worker-2")


def what_is_installed_outlives_the_cluster(bench: Bench, roost: Roost, head: Head) -> None:
    """After ``down`` another cluster of this name, on the same volume, has it all."""
    text = SPEC.replace("count = 3", "count = 1")
    file = roost.file(text.format(region=bench.region, caller=bench.caller))
    roost("down", "star", "--yes").ok()
    roost("up", file, "--yes", seconds=1500).ok()
    head.idle("star-worker-1")
    assert versions(head, 1) == {"star-worker-1": INSTALLED}
    assert PI in head("srun -n2 ./pi-fortran").ok().out
