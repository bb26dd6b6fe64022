"""Slurm: a controller on the head, and workers that join it by themselves. Pure.

Nodes are dynamic: a worker says to the controller what it is, in whatever order machines come, and
its configuration comes from there. So nothing is written anew when the number of workers changes.
The head runs no jobs: it is where people log in, compile and submit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roost.recipes.base import Recipe
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec.cluster import Cluster

AT = "/usr/lib/roost/slurm"
UNITS = "/etc/systemd/system"
RETIRE = (f"{AT}/nodes", "retire")
"""Run on the head, as root, with names of workers: they get no new jobs and leave. It ends with
1 where they still run jobs, and then nothing has changed."""
KEEP = (f"{AT}/nodes", "keep")
"""Run on the head, as root, with the names of all existing workers: others leave Slurm."""
PACKAGES = ("munge", "slurm-client", "libpmix-dev")
"""Packages of all nodes. Slurm opens libpmix.so, which is in the package for developers."""
ROLE_RULES = "/etc/roost-role.nft"
"""Where this file is, only root gets credentials of the machine's role."""
FOLDERS = ("/var/lib/slurm/slurmctld", "/var/log/slurm")
"""The controller's own."""
PATIENCE = 1800
"""Seconds in which the head must be ready once its workers are."""
MOST = 10_000
"""Nodes that there can be."""


def steps(spec: Cluster, role: Role, workers: Sequence[str] = ()) -> tuple[Step, ...]:
    """Return the steps of the head or a worker; ``workers`` are those that exist."""
    if role != "head":
        return (_role(), _munge(), _worker(spec))
    return (_role(), _munge(), _head(spec), *((_known(workers),) if workers else ()))


RECIPE = Recipe(
    steps=lambda spec, role, context: steps(spec, role, context.workers),
    secret_generators={"slurm": "slurm-secrets"},
    shared=("munge.key",),
    retire=RETIRE,
)


def _role() -> Step:
    """Keep the credentials of the machine's role from jobs: whoever submits one would have them."""
    return Step(
        name="role",
        title="keeping the role's credentials for root",
        packages=("nftables",),
        files=(File(ROLE_RULES, program("role.nft")), _unit("roost-role.service")),
        services=("roost-role.service",),
    )


def _munge() -> Step:
    """Install munge: with one cluster's own key, nodes can verify each other's messages.

    A head that is made anew has another key: then the workers get that one, and it takes effect
    when its file changes.
    """
    return Step(
        name="munge",
        title="preparing the key of the cluster",
        packages=PACKAGES,
        files=(
            _program("munge"),
            _unit("roost-munge.service"),
            _unit("roost-munge.path"),
        ),
        services=("roost-munge.service", "roost-munge.path"),
        own=True,
    )


def _head(spec: Cluster) -> Step:
    return Step(
        name="slurm",
        title="installing Slurm's controller",
        packages=("slurmctld",),
        files=(
            File(f"{AT}/slurm.conf", configuration(spec)),
            File("/etc/slurm/job_submit.lua", _submit(spec)),
            _program("settings"),
            _program("nodes"),
            File("/etc/roost/work.d/50-slurm", program("slurm-work"), "0755"),
            _unit("roost-slurmctld.service"),
        ),
        commands=(
            # Debian's own unit would start it at each boot beside ours.
            Command(argv=("systemctl", "mask", "--now", "slurmctld.service")),
            Command(argv=("install", "-d", "-o", "slurm", "-g", "slurm", *FOLDERS)),
            Command(argv=(f"{AT}/settings",)),
        ),
        services=("roost-slurmctld.service",),
        own=True,
    )


def _known(workers: Sequence[str]) -> Step:
    """Return a step that tells Slurm of workers that vanished: broken, or taken by the cloud."""
    return Step(
        name="nodes",
        title="comparing Slurm's nodes",
        commands=(Command(argv=(*KEEP, *sorted(workers)), seconds=300),),
        own=True,
    )


def _worker(spec: Cluster) -> Step:
    return Step(
        name="slurm",
        title="joining Slurm",
        packages=("slurmd",),
        files=(
            _program("join"),
            _unit("roost-slurmd.service", _after(spec)),
            File("/etc/roost/retire.d/50-slurm", program("slurm-leave"), "0755"),
        ),
        commands=(
            Command(argv=("systemctl", "mask", "--now", "slurmd.service")),
            Command(argv=(f"{AT}/join", "wait", str(PATIENCE)), seconds=PATIENCE + 60),
        ),
        services=("roost-slurmd.service",),
        own=True,
    )


def _after(spec: Cluster) -> str:
    """Return unit lines that wait for the shared folder: jobs fail on a node without it."""
    unit = "roost-shared.service"
    return f"Wants={unit}\nAfter={unit}\n" if spec.shared else ""


def configuration(spec: Cluster) -> str:
    """Return ``slurm.conf`` for any number of workers; the head adds what its Slurm can do.

    CPUs are what the file and AWS call so (a core may have two), and jobs share a node by CPUs;
    ``--mem`` limits a job's memory, and does not divide the node's.
    """
    return f"""\
# Written by roost, for all nodes: they fetch it from the head.
ClusterName={spec.name}
SlurmctldHost={spec.name}-head(head)
SlurmctldParameters=enable_configless,node_reg_mem_percent=90
AuthType=auth/munge
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log

# Workers come and go by themselves; to a dynamic node no message goes by way of another one.
MaxNodeCount={MOST}
TreeWidth=65533
ReturnToService=2
SlurmdTimeout=120
MessageTimeout=30

SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MaxArraySize=10001
MaxJobCount=50000
AccountingStorageType=accounting_storage/none
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _submit(spec: Cluster) -> str:
    """Return the Lua plugin that warns where a job's output would be on any node's own disk."""
    return program("slurm-submit.lua").replace("SHARED", spec.shared or "")


def _program(name: str) -> File:
    return File(f"{AT}/{name}", program(f"slurm-{name}"), "0755")


def _unit(name: str, more: str = "") -> File:
    text = program(name)
    return File(f"{UNITS}/{name}", text.replace("[Unit]\n", f"[Unit]\n{more}"))
