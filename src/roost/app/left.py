"""The end of a command that fails: what it leaves behind, what that costs, and how to end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import RoostError, command_line

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud


def tell_costs(error: RoostError, cloud: Cloud, name: str) -> None:
    """Add to an error all that exists of a name, what it costs, and the command that ends it.

    Looking may fail for the same reason as the command: then that is said, and nothing is guessed.
    """
    from roost.app.cost import rate_now

    down = command_line("roost", "down", name)
    try:
        state = cloud.observe(name)
    except RoostError as trouble:
        error.costs = f"unknown ({trouble.what}); `{down}` removes whatever there is"
        return
    if state.empty:
        return
    if set(error.exists) <= set(state.conditions):  # else it names what matters itself
        error.exists = things(state)
    error.costs = f"{rate_now(cloud, state)}; `{down}` ends that"


def things(state: State) -> tuple[str, ...]:
    """Return all that can cost money: ``("head (running)", "volume data (500 GiB)")``."""
    costly = (
        *state.conditions,
        *(f"volume {v.name} ({v.size_gib:g} GiB)" for v in state.volumes),
        *(f"address {a.name}{f' ({a.ip})' if a.ip else ''}" for a in state.addresses),
        *(f"snapshot of volume {s.volume} ({s.name})" for s in state.snapshots),
        *(f"image of {i.instance} ({i.name})" for i in state.images),
    )
    return costly or ("its settings in the cloud",)
