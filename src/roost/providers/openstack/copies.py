"""The copies of a name's disks: images of Glance, which outlive what they were made of.

Cinder deletes no volume that has a snapshot, and a snapshot stays where its volume is. So a copy of
a data volume is an image too, made of a volume that nothing holds: that serves all zones, and a
second copy is as long as the first.

Nova and Cinder hand the marks of an image on to what is made from it, and to its own images. A copy
of a boot disk counts only if Nova says that it is of the very server that its marks name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from roost.model import nodes
from roost.model.resources import CopyState, Image, Instance, Snapshot, Volume
from roost.providers.openstack import marks
from roost.providers.openstack.client import Site

COPY, DISK = "copy", "disk"
"""The role of an image: a copy of a data volume, or of the disk that a machine boots from."""
STATES: dict[str, CopyState] = {
    "queued": "pending",
    "saving": "pending",
    "uploading": "pending",
    "importing": "pending",
    "active": "completed",
    "killed": "failed",
    "deactivated": "unusable",
}
GONE = ("deleted", "pending_delete")
GIB = 2**30
HARMLESS = frozenset(
    {
        "addFloatingIp",
        "attach_interface",
        "attach_volume",
        "changePassword",
        "createImage",
        "detach_interface",
        "detach_volume",
        "lock",
        "pause",
        "removeFloatingIp",
        "shelve",
        "shelveOffload",
        "stop",
        "suspend",
        "unlock",
    }
)
"""Nova's actions after which a machine that is off has not run. All others may have started it."""

Described = Mapping[str, Any]


def find(site: Site, name: str) -> list[dict[str, Any]]:
    """Return the images with the name's mark, as Glance describes them."""
    asked = [(marks.NAME, name), ("owner", site.project), ("limit", "1000")]
    every = site.every("image", "/images", "images", asked)
    return [one for one in every if is_copy(one, name)]


def is_copy(one: Described, name: str) -> bool:
    """Tell whether an image is a copy of one of the name's disks."""
    role, node = one.get(marks.ROLE), str(one.get(marks.NODE) or "")
    if one.get(marks.NAME) != name or one.get("status") in GONE or not nodes.is_node(node):
        return False
    source = one.get(marks.SOURCE)
    if not isinstance(source, str) or not source:
        return False
    return role == COPY or (role == DISK and one.get("instance_uuid") == source)


def marks_of_volume(name: str, volume: Volume) -> dict[str, str]:
    """Return the marks of a copy of a volume to which nothing can write now."""
    return {
        marks.NAME: name,
        marks.NODE: volume.name,
        marks.ROLE: COPY,
        marks.SOURCE: volume.id,
        marks.SEALED: "yes",
        marks.SIZE: f"{volume.size_gib:g}",
    }


def marks_of_disk(name: str, instance: Instance) -> dict[str, str]:
    """Return the marks of a copy of a machine's boot disk."""
    return {
        marks.NAME: name,
        marks.NODE: instance.name,
        marks.ROLE: DISK,
        marks.SOURCE: instance.id,
        marks.TYPE: instance.shape.type,
    }


def snapshots(described: Iterable[Described]) -> tuple[Snapshot, ...]:
    """Return the copies of data volumes."""
    return tuple(_snapshot(one) for one in described if one[marks.ROLE] == COPY)


def _snapshot(one: Described) -> Snapshot:
    state, note = _state(one)
    used = one.get("size")
    return Snapshot(
        name=str(one["id"]),
        volume=one[marks.NODE],
        source=one[marks.SOURCE],
        size_gib=number(one.get(marks.SIZE)),
        state=state,
        sealed=one.get(marks.SEALED) == "yes",
        taken=marks.seconds(one.get("created_at")),
        used_gib=round(used / GIB, 3) if isinstance(used, int) and used else None,
        note=note,
    )


def images(described: Iterable[Described]) -> tuple[Image, ...]:
    """Return the copies of boot disks."""
    return tuple(_image(one) for one in described if one[marks.ROLE] == DISK)


def _image(one: Described) -> Image:
    state, note = _state(one)
    return Image(
        name=str(one["id"]),
        instance=one[marks.NODE],
        source=one[marks.SOURCE],
        type=str(one.get(marks.TYPE) or ""),
        state=state,
        taken=marks.seconds(one.get("created_at")),
        note=note,
    )


def _state(one: Described) -> tuple[CopyState, str]:
    """Return the state, and Glance's own word where a person must know it."""
    word = str(one.get("status", ""))
    state = STATES.get(word, "unknown")
    return state, word if state in ("unusable", "unknown") else ""


def number(text: Any) -> float:
    """Return the size that a mark says; 0 where it says none."""
    try:
        found = float(text)
    except (TypeError, ValueError):
        return 0
    return min(found, 1e6) if found > 0 else 0


def last_started(site: Site, server: str) -> float:
    """Return when a server was last started or changed, by Nova's list of what was done to it.

    What Nova describes of a server does not change where somebody starts and stops it.
    """
    answer = site.get("compute", f"/servers/{server}/os-instance-actions")
    done = answer.get("instanceActions") if isinstance(answer, dict) else None
    return max(
        (
            marks.seconds(one.get("start_time"))
            for one in done or ()
            if isinstance(one, dict) and one.get("action") not in HARMLESS
        ),
        default=0,
    )


def delete(site: Site, image: str, described: Described) -> None:
    """Delete a copy; one that roost has protected from Nova is let go first."""
    if described.get("protected"):
        change = [{"op": "replace", "path": "/protected", "value": False}]
        site.call("PATCH", "image", f"/images/{image}", body=change)
    site.delete("image", f"/images/{image}")
