"""Start what was stopped: all of a name, or one machine of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.session import Session


def start(session: Session, name: str, node: str | None = None) -> Running:
    """Start what was stopped, and make whatever is missing of it; or start one machine."""
    from roost.app.lifecycle import bring_back

    if node is not None:
        return _start_one(session, name, node)
    session.say(f"starting {name}")
    return bring_back(session, name, verb="start")


def _start_one(session: Session, name: str, node: str) -> Running:
    """Start one machine that is there; the others stay as they are."""
    from roost.app.ends import warn_of_past_end
    from roost.app.lifecycle import drive, running
    from roost.app.provisioning import settle
    from roost.app.resolve import fitted, held, locate, spec_in
    from roost.plan.up import plan_start
    from roost.ssh.connection import chosen

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        chosen(have, node)
        warn_of_past_end(session, spec)
        wanted = fitted(cloud, spec, have)
        session.say(f"starting {name}/{node}")
        state = drive(
            session,
            cloud,
            name,
            lambda have, _: plan_start(wanted, have, node),
            title=f"start {name}/{node}",
            total=1,
            done=lambda have: sum(i.state == "running" for i in have.instances if i.name == node),
        )
        limits = settle(session, cloud, state, fresh=False, only=frozenset({node}))
        return running(cloud, wanted, state, limits)
