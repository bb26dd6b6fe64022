"""Change the number of a cluster's workers, or let it follow the work."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roost.errors import UsageError
from roost.notebook.dask.ranges import Range

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.model.resources import Wanted
    from roost.session import Session


def scale(
    session: Session,
    name: str,
    wish: int | Range,
    drop: frozenset[str],
    *,
    for_work: bool = False,
) -> Running:
    """Change a cluster to so many workers, or to a range in which the number follows the work.

    Those of ``drop`` go first. ``for_work``: the work itself asks, and its range stays.
    Raises UsageError where it is no cluster, or where its file does not allow so many.
    """
    from roost.app.comeback import check_copies
    from roost.app.ends import warn_of_past_end
    from roost.app.given import agreed
    from roost.app.lifecycle import bring_up
    from roost.app.price_rise import agree_on_record, agree_on_workers
    from roost.app.ranges import (
        bounded,
        check_asker,
        check_limits,
        rented_workers,
        told,
        with_range,
    )
    from roost.app.resolve import fitted, held, locate, spec_in
    from roost.plan.up import plan_up

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        if spec.kind != "cluster":
            raise UsageError(f"{name} is a {spec.kind}; only a cluster has workers")
        there = len(rented_workers(have))
        if for_work:
            check_asker(cloud, have)
        kept = bounded(cloud, spec, wish) if isinstance(wish, Range) else None
        count = kept.hold(there) if kept is not None else wish
        assert isinstance(count, int)
        check_limits(spec.workers, name, count)
        if cloud.can.rents and not for_work:
            spec = with_range(spec, kept)

        def of(workers: int) -> Wanted:
            return fitted(cloud, spec.with_workers(count=workers), have)

        if count > there and not for_work:
            warn_of_past_end(session, spec)
        wanted, before = of(count), of(there)
        if kept is not None:
            agree_on_workers(session, cloud, before, of(kept.maximum), at_most=True)
        elif not (for_work and agreed(cloud, have)):
            agree_on_workers(session, cloud, before, wanted)
        agree_on_record(session, cloud, plan_up(wanted, have, drop=drop), have)
        check_copies(session, cloud, wanted, have)
        if cloud.can.following is not None and not for_work:
            cloud.can.following.follow(name, kept)
        session.say(f"scaling {name} to {count} workers")
        running = bring_up(session, cloud, wanted, verb="scale", drop=drop)
        return replace(running, notes=(*running.notes, *told(cloud, running.state)))
