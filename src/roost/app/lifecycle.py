"""Shared steps of up, start, resume and the like: reconcile with progress, report what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from roost.errors import PartlyDoneError, command_line

if TYPE_CHECKING:
    from roost.cost.rates import Amount
    from roost.model.limits import Limits
    from roost.model.resources import Instance, State, Wanted
    from roost.plan.up import Plan
    from roost.providers.provider import Cloud
    from roost.reconcile.loop import Planner
    from roost.reconcile.quorum import Quorum
    from roost.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The running machines of a name, and how to reach them.

    ``address`` is for a browser; ``by_ssh``: its machines are reached by SSH; ``has_page``: `roost
    open` leads to a page. ``limits`` are what stops each machine, as it says itself. ``problem`` is
    for after all of that is shown: enough runs, but not all.
    """

    cloud: str
    state: State
    address: str | None
    by_ssh: bool
    has_page: bool
    notes: tuple[str, ...]
    limits: Mapping[str, Limits] = field(default_factory=dict)
    problem: PartlyDoneError | None = None


def bring_up(
    session: Session,
    cloud: Cloud,
    wanted: Wanted,
    *,
    verb: str,
    drop: frozenset[str] = frozenset(),
    as_parked: bool = False,
    fresh: frozenset[str] = frozenset(),
) -> Running:
    """Make all of ``wanted`` run, and wait until it is set up.

    `up` brings the project as it is on this computer now, other verbs as it was brought before.
    ``drop`` names the workers that go first; ``as_parked``: machines come back as the type that
    they were; ``fresh`` are made empty, as their copies are lost.
    Raises PartlyDoneError where data is on its way back from the archive, which nobody waits for.
    """
    from roost.app.given import agree
    from roost.app.provisioning import settle
    from roost.plan.up import plan_up
    from roost.reconcile.quorum import PartlyUpError, quorum_of

    def planner(have: State, given_up: frozenset[str]) -> Plan:
        return plan_up(wanted, have, drop=drop, given_up=given_up, as_parked=as_parked, fresh=fresh)

    if cloud.can.rents:
        agree(cloud, wanted.name, wanted.record)
    problem: PartlyUpError | None = None
    title, total = f"{verb} {wanted.name}", sum(group.count for group in wanted.groups)
    quorum = quorum_of(wanted)
    try:
        state = drive(session, cloud, wanted.name, planner, title=title, total=total, quorum=quorum)
        if slow := plan_up(wanted, state, drop=drop).slow:
            raise PartlyDoneError(
                f"the data of {', '.join(slow)} is on its way back from the archive, which takes up"
                " to 72 hours; nothing is rented until then",
                next=command_line("roost", "resume", wanted.name) + "   (then)",
            )
    except PartlyUpError as error:
        state, problem = error.state, error
    limits = settle(session, cloud, state, fresh=verb == "up")
    return running(cloud, wanted, state, limits, problem or _unchanged(state))


def _unchanged(state: State) -> PartlyDoneError | None:
    """Return the error for volumes that the cloud does not change now; all else is done."""
    those = [v for v in state.volumes if v.note and v.state in ("available", "attached")]
    if not those:
        return None
    return PartlyDoneError(
        "\n".join(f"volume {v.name} is still {v.size_gib:g} GiB: {v.note}" for v in those),
        exists=state.conditions,
        next=command_line("roost", "up", state.name) + "   (then)",
    )


def bring_back(
    session: Session,
    name: str,
    *,
    verb: str,
    as_parked: bool = False,
    fresh: Iterable[str] = (),
) -> Running:
    """Make all run that a name was made as, by its record, wherever it is."""
    from roost.app.comeback import check_copies
    from roost.app.ends import refuse_past_end, warn_of_past_end
    from roost.app.price_rise import agree_on_record, agree_on_return, agree_on_volumes
    from roost.app.resolve import fitted, held, locate, spec_in
    from roost.plan.up import plan_up

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        if as_parked:
            refuse_past_end(spec)
        warn_of_past_end(session, spec)
        wanted = fitted(cloud, spec, have)
        empty = check_copies(session, cloud, wanted, have, fresh)
        if cloud.can.rents:
            stopped, runs = hourly(cloud, wanted, running=False), hourly(cloud, wanted)
            session.say(f"while it runs it costs {runs}, and {stopped} while it is stopped")
            # What is on its way out is made again once it is gone.
            left = tuple(i for i in have.instances if i.state != "deleting")
            plan = plan_up(wanted, replace(have, instances=left), as_parked=as_parked, fresh=empty)
            agree_on_volumes(session, cloud, plan, have)
            agree_on_record(session, cloud, plan, have, rents=not as_parked)
            if as_parked:
                agree_on_return(session, plan, have, runs)
        return bring_up(session, cloud, wanted, verb=verb, as_parked=as_parked, fresh=empty)


def running(
    cloud: Cloud,
    wanted: Wanted,
    state: State,
    limits: Mapping[str, Limits],
    problem: PartlyDoneError | None = None,
) -> Running:
    """Return what runs now, and let `ssh roost-NAME` and editors find it there."""
    from roost.plan.up import plan_up
    from roost.ssh.browser import address_of
    from roost.ssh.connection import write_config
    from roost.ssh.pages import page_of

    by_ssh = cloud.can.shell is None
    if by_ssh:
        write_config(state)
    return Running(
        cloud=cloud.name,
        state=state,
        address=address_of(cloud, state),
        by_ssh=by_ssh,
        has_page=page_of(state.record) is not None,
        notes=plan_up(wanted, state).notes,
        limits=limits,
        problem=problem,
    )


def hourly(cloud: Cloud, wanted: Wanted, *, running: bool = True) -> str:
    """Return the cost of all of it while it runs: ``"at most $0.4587 an hour"``, or is stopped."""
    return f"{hour_of(cloud, wanted, running=running)} an hour"


def hour_of(cloud: Cloud, wanted: Wanted, *, running: bool = True) -> Amount:
    """Return the cost of an hour of all of it, by the list prices of today."""
    from roost.app.prices import book_for
    from roost.cost.bill import Use
    from roost.cost.charges import lasting
    from roost.cost.rates import section
    from roost.plan.bill import bill_of
    from roost.providers.rules import rules_of

    disks = rules_of(cloud.name).disks
    bill = bill_of(wanted, cloud.region, disks.root if disks is not None else "")
    book = book_for(cloud, wanted.record)
    return section(lasting(bill, Use(int(running), 1), book)).amount


# --- the loop, with progress ---------------------------------------------------------------------


def running_count(state: State) -> int:
    """Count the instances that are up."""
    return sum(i.state == "running" for i in state.instances)


def drive(  # noqa: PLR0913 - what to do, and how it is shown
    session: Session,
    cloud: Cloud,
    name: str,
    planner: Planner,
    *,
    title: str,
    total: int,
    done: Callable[[State], int] = running_count,
    quorum: Quorum | None = None,
) -> State:
    """Reconcile, with progress; on Ctrl-C, say what exists and how to continue."""
    from roost.reconcile.loop import ALL, reconcile

    with (
        _interrupts_explained(session, cloud, name),
        session.reporter.steps(title, total, done) as watch,
    ):
        return reconcile(cloud, name, planner, watch, quorum=quorum or ALL)


@contextmanager
def _interrupts_explained(session: Session, cloud: Cloud, name: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        from roost.app.cost import rate_now

        state = cloud.observe(name)
        if state.empty:
            session.say(f"\nnothing of {name} exists")
        else:
            session.say(f"\nleft as it is: {summary(state)}")
            if cloud.can.rents:
                session.say(f"  it costs {rate_now(cloud, state)}")
            up, down = command_line("roost", "up", name), command_line("roost", "down", name)
            session.say(f"  `{up}` continues, `{down}` removes it")
        raise


# --- the state -----------------------------------------------------------------------------------


def forget_ways(cloud: Cloud, name: str) -> None:
    """End the tunnel, and delete the page, that led to a machine that no longer exists."""
    from roost.ssh.browser import withdraw

    withdraw(name)
    if cloud.can.shell is None:
        from roost.ssh.tunnel import forget

        forget(name)


def summary(state: State) -> str:
    """Return a summary: ``"head running, worker-1 pending, address head (203.0.113.9)"``."""
    machines = [f"{i.name} {i.state}" for i in state.instances]
    addresses = [f"address {a.name} ({a.ip or 'new'})" for a in state.addresses]
    return ", ".join([*machines, *addresses]) or "only its record"


def instance_json(instance: Instance) -> dict[str, object]:
    """Return one instance as ``--json`` shows it."""
    return {
        "name": instance.name,
        "role": instance.role,
        "state": instance.state,
        "note": instance.note,
        "health": instance.health,
        "type": instance.shape.type,
        "cpus": instance.shape.cpus,
        "memory_gib": instance.shape.memory_gib,
        "address": instance.address,
        "id": instance.id,
    }
