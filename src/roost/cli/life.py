"""What the life commands share: converge, and say what is left where that was cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from roost.cli.output import say
from roost.cli.progress import running, watching

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.clouds.converge import Planner
    from roost.plan.resources import Instance, State


def drive(
    cloud: Cloud,
    name: str,
    planner: Planner,
    *,
    title: str,
    total: int,
    done: Callable[[State], int] = running,
) -> State:
    """Converge, with progress; on Ctrl-C, say what is there and how to go on."""
    from roost.clouds.converge import converge

    with _saying_what_is_left(cloud, name), watching(title, total, done) as watch:
        return converge(cloud, name, planner, watch)


@contextmanager
def _saying_what_is_left(cloud: Cloud, name: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        state = cloud.observe(name)
        if state.empty:
            say(f"\nnothing of {name} is left running")
        else:
            say(f"\nleft as it is: {summary(state) or 'only the record'}")
            say(f"  `roost up {name}` goes on, `roost down {name}` removes it")
        raise


def summary(state: State) -> str:
    """``"head running, worker-1 pending"``."""
    return ", ".join(f"{i.name} {i.state}" for i in state.instances)


def instance_json(instance: Instance) -> dict[str, object]:
    """One instance as ``--json`` shows it."""
    return {
        "name": instance.name,
        "role": instance.role,
        "state": instance.state,
        "note": instance.note,
        "type": instance.shape.type,
        "cpus": instance.shape.cpus,
        "memory_gib": instance.shape.memory_gib,
        "address": instance.address,
        "id": instance.id,
    }
