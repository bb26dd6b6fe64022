"""The range in which a cluster's number of workers follows the work: where it is kept, who set it.

On the own machine it is a file beside the name, as the cluster itself acts on it. On rented
machines it is in the record, so that any computer of the owner's can follow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roost.errors import RoostError, UsageError, command_line
from roost.model.summary import count_workers
from roost.notebook.dask.ranges import LONGEST, MOST, Range

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.spec import Spec
    from roost.spec.cluster import Cluster, Workers

RENTED = ("pending", "running", "stopping")
"""The states of workers that cost what they cost already."""
THE_FILE = "the file"
"""Who has set a range that `up` found in the file."""


def range_in(cloud: Cloud, have: State) -> Range | None:
    """Return the range that the number follows the work in; None where it stays as it is."""
    from roost.app.resolve import readable_spec

    if cloud.can.following is not None:
        return cloud.can.following.range_of(have.name)
    spec = readable_spec(have)
    if spec is None or spec.kind != "cluster" or spec.workers.follow is None:
        return None
    kept = spec.workers.follow
    return Range(minimum=kept.minimum, maximum=kept.maximum, by=kept.by)


def with_range(spec: Cluster, wish: Range | None) -> Cluster:
    """Return the settings with a range, or with none, as they are kept with rented machines."""
    from roost.spec.cluster import Followed

    kept = wish and Followed(minimum=wish.minimum, maximum=wish.maximum, by=wish.by[:LONGEST])
    return spec.with_workers(follow=kept)


def bounded(cloud: Cloud, spec: Cluster, wish: Range) -> Range:
    """Return the range as the file allows it; without a maximum it is the file's, or on the own
    machine the host's CPUs. Raises UsageError.
    """
    from roost.app.host import this_host

    if wish.maximum == MOST:
        if cloud.can.rents and spec.workers.max is None:
            raise UsageError(
                "a range of rented machines needs its end: that is what it can cost",
                next=command_line("roost", "scale", spec.name, f"{wish.minimum}..8"),
            )
        room = max(1, this_host().cpus // spec.local.threads)
        wish = replace(wish, maximum=max(wish.minimum, spec.workers.max or room))
    for count in (wish.minimum, wish.maximum):
        check_limits(spec.workers, spec.name, count)
    return wish


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
    """Tell whether the machine runs that knows the work."""
    return any(i.role == "head" and i.state == "running" for i in have.instances)


def rented_workers(have: State) -> frozenset[str]:
    """Return the workers that are paid for."""
    found = (i for i in have.instances if i.role == "worker" and i.state in RENTED)
    return frozenset(i.name for i in found)


def check_asker(cloud: Cloud, have: State) -> None:
    """Refuse what was asked for the work where the number does not follow it any more."""
    if not head_runs(have) or range_in(cloud, have) is None:
        raise RoostError(f"the number of workers of {have.name} does not follow the work any more")


def with_most(cloud: Cloud, spec: Spec, have: State) -> str:
    """Return what all of it costs with the most workers of its range, or an empty text:
    ``"up to $0.4956 an hour with 3 workers, as the work needs them"``.
    """
    from roost.app.lifecycle import hourly
    from roost.app.resolve import fitted

    if spec.kind != "cluster" or spec.workers.follow is None:
        return ""
    most = spec.workers.follow.maximum
    cost = hourly(cloud, fitted(cloud, spec.with_workers(count=most), have))
    return f"up to {cost} with {most} workers, as the work needs them"


# --- what the file says --------------------------------------------------------------------------


def range_of_file(spec: Spec) -> Range | None:
    """Return the range of a file whose workers have a ``max``."""
    if spec.kind != "cluster" or spec.workers.max is None:
        return None
    return Range(minimum=spec.workers.min or 0, maximum=spec.workers.max, by=THE_FILE)


def as_followed(cloud: Cloud, spec: Spec, have: State) -> Spec:
    """Return the file with as many workers as follow the work now: `up` does not add to them.

    The range is the file's; one that somebody else set stays where the file says none.
    """
    said, now = range_of_file(spec), range_in(cloud, have)
    if spec.kind != "cluster":
        return spec
    wish = said or (now if now is not None and now.by != THE_FILE else None)
    if cloud.can.rents:
        spec = with_range(spec, wish)
    if wish is None or now is None or not head_runs(have) or not (said or cloud.can.rents):
        return spec  # off, made before, or scaled by hand: `up` begins as the file says
    return spec.with_workers(count=wish.hold(count_workers(have.instances)))


def follow_file(cloud: Cloud, spec: Spec) -> None:
    """Set the own machine's range to what the file says, or leave one that somebody else set."""
    following = cloud.can.following
    if following is None:
        return
    said, now = range_of_file(spec), following.range_of(spec.name)
    if said is not None or (now is not None and now.by == THE_FILE):
        following.follow(spec.name, said)


def told(cloud: Cloud, have: State) -> tuple[str, ...]:
    """Say that the number follows the work, and who said so; nothing where it does not."""
    wish = range_in(cloud, have)
    if wish is None:
        return ()
    between = f"between {wish.minimum} and {wish.maximum} (as {wish.by} says)"
    if not cloud.can.rents:
        return (f"the number of workers follows the work, {between}",)
    follow = command_line("roost", "follow", have.name)
    return (f"the number of workers follows the work, {between}, while `{follow}` runs",)
