"""The copies that park recorded: facts, also where somebody has deleted such a copy since. Pure.

A name that the record knows a copy of is never made empty in silence: the copy is there, or whoever
wants the name empty types it (``fresh``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from roost.model.resources import STATELESS, Backup, Image, Instance, Snapshot, State, Volume
from roost.plan.backups import GOOD, image_of, images_of, snapshots_of, source_of

Key = tuple[str, str]
"""The kind of a copy, and the name of its volume or instance."""


def key_of(backup: Backup) -> Key:
    """Return what a copy is known by: there is one of each volume, and one of each disk."""
    return backup.kind, backup.name


def due(have: State, dropped: Collection[str] = ()) -> tuple[Backup, ...] | None:
    """Return all copies to record, where those recorded are other ones; else None.

    Of each volume it is the newest that holds all of it, of each disk the newest image; what is
    recorded stays until a newer one is there. ``dropped`` are volumes that come back empty.
    """
    recorded = {key_of(one): one for one in have.backups}
    newest = {key_of(one): one for one in _there(have)}
    both = {
        key: _newer(recorded.get(key), newest.get(key))
        for key in sorted(recorded.keys() | newest.keys())
        if key[0] != "snapshot" or key[1] not in dropped
    }
    if {key: one.id for key, one in both.items()} == {k: one.id for k, one in recorded.items()}:
        return None
    return tuple(both.values())


def _there(have: State) -> Iterable[Backup]:
    """Yield the newest whole copy of each volume and disk."""
    for volume in sorted({s.volume for s in have.snapshots}):
        whole = (s for s in snapshots_of(volume, have) if s.sealed and s.state in GOOD)
        if snapshot := next(whole, None):
            yield _of_snapshot(snapshot)
    for instance in sorted({i.instance for i in have.images}):
        if image := next((i for i in images_of(instance, have) if i.state in GOOD), None):
            yield Backup(kind="image", name=instance, id=image.name, taken=image.taken)


def _of_snapshot(snapshot: Snapshot) -> Backup:
    return Backup(
        kind="snapshot",
        name=snapshot.volume,
        id=snapshot.name,
        taken=snapshot.taken,
        size_gib=snapshot.size_gib,
        used_gib=snapshot.used_gib or 0,
    )


def _newer(recorded: Backup | None, there: Backup | None) -> Backup:
    if recorded is None or (there is not None and there.taken >= recorded.taken):
        assert there is not None
        return there
    return recorded


def is_recorded(copy: Snapshot | Image, have: State) -> bool:
    """Return whether the record names this copy, so that what it was made of may go."""
    return any(backup.id == copy.name for backup in have.backups)


def lost(have: State, volumes: Iterable[Volume], instances: Iterable[Instance]) -> list[Backup]:
    """Return the recorded copies of things to be made that are gone, or cannot be used."""
    recorded = {key_of(one): one for one in have.backups}
    keys: list[Key] = [
        *(("snapshot", volume.name) for volume in volumes),
        *(("image", instance.name) for instance in instances if instance.role not in STATELESS),
    ]
    those = (recorded[key] for key in keys if key in recorded)
    return [backup for backup in those if not is_intact(backup, have)]


def lost_backups(have: State) -> list[Backup]:
    """Return the recorded copies that are gone, of volumes and machines that are not there."""
    there = _in_use(have)
    return [b for b in have.backups if key_of(b) not in there and not is_intact(b, have)]


def _in_use(have: State) -> set[Key]:
    """Return the keys of the volumes and machines that are there, which need no copy."""
    volumes = {("snapshot", volume.name) for volume in have.volumes}
    return volumes | {("image", instance.name) for instance in have.instances}


def is_intact(backup: Backup, have: State) -> bool:
    """Return whether this copy is there to be used, or a newer one in its place."""
    kind, name = key_of(backup)
    source = source_of(name, have) if kind == "snapshot" else image_of(name, have)
    return source is not None and (source.name == backup.id or source.taken >= backup.taken)


def obsolete(have: State) -> tuple[Backup, ...] | None:
    """Return what to record where a copy is gone whose volume or machine is there; else None."""
    there = _in_use(have)
    kept = tuple(b for b in have.backups if key_of(b) not in there or is_intact(b, have))
    return kept if len(kept) < len(have.backups) else None
