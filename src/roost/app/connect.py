"""Connect to a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection


def connected(session: Session, cloud: Cloud, state: State, node: str | None) -> Connection:
    """Return the connection to a machine (the main one, if none is named), as it is now.

    Raises NotFoundError, or RoostError where it cannot be reached.
    """
    from roost.ssh.connection import connection, host_keys_of

    way = connection(state, node, host_keys_of(cloud, session.say))
    for machine in way.unproven:
        session.say(
            f"the console of {machine} does not show its host key yet:"
            " the first key that the machine shows is trusted, and kept"
        )
    return way
