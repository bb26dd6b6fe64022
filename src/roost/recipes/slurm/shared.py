"""The folder that all machines of a cluster share: the head's, over NFS. Pure.

Only to private addresses, and the firewall lets only the cluster's own machines in. Written data
is on the disk before a program is told so (``sync``), and a worker waits for a head that boots
(``hard``): a job is slow then, and loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.base import Recipe
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec
    from roost.spec.cluster import Cluster

AT = "/usr/lib/roost/shared"
UNIT = "roost-shared.service"
NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
"""The ranges from which a private network has its addresses."""
PATIENCE = 1800
"""Seconds in which the head must be ready once its workers are."""


def steps(spec: Spec, role: Role) -> tuple[Step, ...]:
    """Export the folder on the head, mount it on a worker; nothing where the file has none."""
    if spec.kind != "cluster" or spec.shared is None:
        return ()
    return (_exported(spec, spec.shared) if role == "head" else _mounted(spec.shared),)


RECIPE = Recipe(steps=lambda spec, role, _: steps(spec, role))


def _exported(spec: Cluster, folder: str) -> Step:
    return Step(
        name="shared",
        title=f"sharing {folder}",
        packages=("nfs-kernel-server",),
        files=(
            File("/etc/exports.d/roost.exports", exports(spec, folder)),
            File(f"{AT}/folder", folder + "\n"),
            _program("export"),
            _unit("export", folder),
        ),
        services=(UNIT,),
    )


def _mounted(folder: str) -> Step:
    return Step(
        name="shared",
        title=f"mounting {folder}",
        packages=("nfs-common",),
        files=(
            File(f"{AT}/folder", folder + "\n"),
            _program("mount"),
            _unit("mount", folder),
        ),
        # Before the service, which would say only that it failed.
        commands=(Command(argv=(f"{AT}/mount", str(PATIENCE)), seconds=PATIENCE + 60),),
        services=(UNIT,),
        own=True,
    )


def exports(spec: Cluster, folder: str) -> str:
    """Return the line for ``exportfs``. On a volume: never the empty folder below it."""
    options = ["rw", "sync", "no_subtree_check", "root_squash"]
    volume = volume_below(spec, folder)
    options += [f"mountpoint={volume}"] if volume else []
    text = ",".join(options)
    return " ".join([folder, *(f"{network}({text})" for network in NETWORKS)]) + "\n"


def volume_below(spec: Cluster, folder: str) -> str | None:
    """Return the mount point of the volume that holds the folder; None for the head's own disk."""
    places = [v.place for v in spec.volumes if f"{folder}/".startswith(f"{v.place}/")]
    return max(places, key=len, default=None)


def _program(name: str) -> File:
    return File(f"{AT}/{name}", program(f"shared-{name}"), "0755")


def _unit(name: str, folder: str) -> File:
    return File(
        f"/etc/systemd/system/{UNIT}", program(f"shared-{name}.service").replace("FOLDER", folder)
    )
