"""Change the number of a cluster's workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import UsageError

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.session import Session
    from roost.spec.cluster import Workers


RENTED = ("pending", "running", "stopping")
"""The states of workers that cost what they cost already."""


def scale(session: Session, name: str, count: int, drop: frozenset[str]) -> Running:
    """Change a cluster to ``count`` workers; those of ``drop`` go first.

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
        check_limits(spec.workers, name, count)
        workers = spec.workers.model_copy(update={"count": count})
        wanted = fitted(cloud, spec.model_copy(update={"workers": workers}), have)
        there = sum(i.role == "worker" and i.state in RENTED for i in have.instances)
        now = spec.workers.model_copy(update={"count": there})
        before = fitted(cloud, spec.model_copy(update={"workers": now}), have)
        agree_on_workers(session, cloud, before, wanted)
        agree_on_record(session, cloud, plan_up(wanted, have, drop=drop), have)
        check_copies(session, cloud, wanted, have)
        session.say(f"scaling {name} to {count} workers")
        return bring_up(session, cloud, wanted, verb="scale", drop=drop)


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
