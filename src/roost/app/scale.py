"""Change the number of a cluster's workers, or let it follow the work."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roost.errors import RoostError, UsageError, command_line
from roost.notebook.dask.ranges import MOST, Range

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec
    from roost.spec.cluster import Cluster, Workers


RENTED = ("pending", "running", "stopping")
"""The states of workers that cost what they cost already."""
THE_FILE = "the file"
"""Who has set a range that `up` found in the file."""


def scale(
    session: Session,
    name: str,
    wish: int | Range,
    drop: frozenset[str],
    *,
    for_work: bool = False,
) -> Running:
    """Change a cluster to so many workers, or to a range in which the number follows the work.

    Those of ``drop`` go first. ``for_work``: the cluster itself asks, and its range stays.
    Raises UsageError where it is no cluster, or where its file does not allow so many.
    """
    from roost.app.comeback import check_copies
    from roost.app.lifecycle import bring_up
    from roost.app.price_rise import agree_on_record, agree_on_workers
    from roost.app.resolve import fitted, held, locate, spec_in
    from roost.plan.up import plan_up

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        if spec.kind != "cluster":
            raise UsageError(f"{name} is a {spec.kind}; only a cluster has workers")
        there = sum(i.role == "worker" and i.state in RENTED for i in have.instances)
        if for_work:
            check_asker(cloud, have)
        count = wish if isinstance(wish, int) else set_range(cloud, spec, wish).hold(there)
        check_limits(spec.workers, name, count)
        workers = spec.workers.model_copy(update={"count": count})
        wanted = fitted(cloud, spec.model_copy(update={"workers": workers}), have)
        now = spec.workers.model_copy(update={"count": there})
        before = fitted(cloud, spec.model_copy(update={"workers": now}), have)
        agree_on_workers(session, cloud, before, wanted)
        agree_on_record(session, cloud, plan_up(wanted, have, drop=drop), have)
        check_copies(session, cloud, wanted, have)
        if isinstance(wish, int) and not for_work and cloud.can.following is not None:
            cloud.can.following.follow(name, None)
        session.say(f"scaling {name} to {count} workers")
        running = bring_up(session, cloud, wanted, verb="scale", drop=drop)
        return replace(running, notes=(*running.notes, *told(cloud, name)))


def check_limits(workers: Workers, name: str, count: int) -> None:
    """Keep to the file's own limits. Raises UsageError."""
    below = workers.min is not None and count < workers.min
    above = workers.max is not None and count > workers.max
    if below or above:
        key, limit = ("min", workers.min) if below else ("max", workers.max)
        raise UsageError(
            f"the file of {name} says {key} = {limit} workers",
            next=f"change {key} in the file, then: roost up FILE",
        )


def head_runs(have: State) -> bool:
    """Tell whether the machine runs that follows the work."""
    return any(i.role == "head" and i.state == "running" for i in have.instances)


def check_asker(cloud: Cloud, have: State) -> None:
    """Refuse what a cluster asked for that was stopped meanwhile, or holds another number now."""
    following = cloud.can.following
    if not head_runs(have) or following is None or following.range_of(have.name) is None:
        raise RoostError(f"the number of workers of {have.name} does not follow the work any more")


def set_range(cloud: Cloud, spec: Cluster, wish: Range) -> Range:
    """Keep the range beside the name; without a maximum it is the file's, or the host's CPUs.

    Raises UsageError for rented machines, and where the file does not allow the range.
    """
    from roost.app.host import this_host

    if cloud.can.following is None:
        raise UsageError(
            f"the machines of {spec.name} are rented, and hold no keys to your account: their"
            " number does not follow the work",
            next=command_line("roost", "scale", spec.name, "N"),
        )
    if wish.maximum == MOST:
        room = max(1, this_host().cpus // spec.local.threads)
        wish = replace(wish, maximum=max(wish.minimum, spec.workers.max or room))
    for count in (wish.minimum, wish.maximum):
        check_limits(spec.workers, spec.name, count)
    cloud.can.following.follow(spec.name, wish)
    return wish


# --- what the file says --------------------------------------------------------------------------


def range_of_file(spec: Spec) -> Range | None:
    """Return the range of a file whose workers have a ``max``."""
    if spec.kind != "cluster" or spec.scheduler != "dask" or spec.workers.max is None:
        return None
    return Range(minimum=spec.workers.min or 0, maximum=spec.workers.max, by=THE_FILE)


def as_followed(cloud: Cloud, spec: Spec, have: State) -> Spec:
    """Return the file with as many workers as follow the work now: `up` does not add to them."""
    said = range_of_file(spec)
    there = sum(i.role == "worker" for i in have.instances)
    if said is None or cloud.can.following is None or spec.kind != "cluster":
        return spec
    if not head_runs(have) or cloud.can.following.range_of(spec.name) is None:
        return spec  # off, made before, or scaled by hand: `up` begins as the file says
    workers = spec.workers.model_copy(update={"count": said.hold(there)})
    return spec.model_copy(update={"workers": workers})


def follow_file(cloud: Cloud, spec: Spec) -> None:
    """Set the range to what the file says; one that somebody else set stays where it says none."""
    following = cloud.can.following
    if following is None:
        return
    said, now = range_of_file(spec), following.range_of(spec.name)
    if said is not None or (now is not None and now.by == THE_FILE):
        following.follow(spec.name, said)


def told(cloud: Cloud, name: str) -> tuple[str, ...]:
    """Say that the number follows the work, and who said so; nothing where it does not."""
    wish = cloud.can.following.range_of(name) if cloud.can.following is not None else None
    if wish is None:
        return ()
    between = f"between {wish.minimum} and {wish.maximum}"
    return (f"the number of workers follows the work, {between} (as {wish.by} says)",)
