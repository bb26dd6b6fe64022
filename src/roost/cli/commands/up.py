"""``roost up``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from roost.cli.options import file_argument, json_option, place_options, yes_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import NeedsConfirmationError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State, Wanted
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec


@click.command("up")
@file_argument
@place_options
@json_option
@yes_options
def command(target: str | None, place: Place, as_json: bool, yes: bool, no_input: bool) -> None:
    """Make what a file wants, wait until it runs, and print its address.

    Safe to repeat: it does what is missing and nothing else. Killed in the middle, the same
    command goes on from where it was.

    \b
    Examples:
      roost up                     roost.toml of this folder
      roost up examples/ndvi.toml
      roost up ndvi                again, by name, from any folder
    """
    session = open_session(place, yes=yes, no_input=no_input)
    say(f"roost up {target or 'roost.toml'}")
    from roost.app.resolve import DEFAULT_FILE, connect, held, spec_of, wanted_for
    from roost.providers.registry import provider_of

    say(command_line("roost", "up", target or "roost.toml"))

    spec = spec_of(session, target)
    where = connect(session, spec)
    provider_of(spec.cloud).remember(where, place, spec)
    wanted = wanted_for(spec)
    with held(session, where, spec.name):
        have = where.observe(spec.name)
        _check_folder(session, spec, have.record)
        _agree_to_lose(session, wanted, have)
        _check(session, where, spec, wanted, have, target or DEFAULT_FILE)
        if where.can.rents:
            _agree(session, spec, wanted, have)
        bring_and_report(session, where, wanted, as_json, verb="up")


def _check(
    session: Session, where: Cloud, spec: Spec, wanted: Wanted, have: State, file: str
) -> None:
    """Check what can fail, before anything is made. Raises RoostError."""
    if where.can.preflight is None:
        return
    launches = _launches(wanted, have)
    for finding in where.can.preflight.check(spec, wanted, have, file, launches=launches):
        if finding.verdict != "ok":
            session.say(f"{finding.verdict}: {finding.text}")
            if finding.mend:
                session.say(f"  -> {finding.mend}")


def _launches(wanted: Wanted, have: State) -> bool:
    """Whether a machine will be made: those that are there keep their role."""
    from roost.model.steps import Create
    from roost.plan.up import plan_up

    steps = plan_up(wanted, have).steps
    return any(isinstance(step, Create) and step.kind == "instance" for step in steps)


def _agree_to_lose(session: Session, wanted: Wanted, have: State) -> None:
    """Machines that the file has no more go with what is on their disks. Workers hold nothing."""
    from roost.model.resources import SURPLUS
    from roost.model.steps import Delete
    from roost.plan.up import plan_up

    roles = {i.name: i.role for i in have.instances}
    gone = [
        name
        for step in plan_up(wanted, have).steps
        if isinstance(step, Delete) and step.kind == "instance"
        for name in step.names
        if roles.get(name) != "worker" and not name.endswith(SURPLUS)
    ]
    if not gone:
        return
    what = f"{', '.join(gone)}: not in the file any more; the disk it boots from would be deleted"
    refused = NeedsConfirmationError(
        what,
        exists=have.conditions,
        next=command_line("roost", "park", wanted.name) + "   (saves it), or: the same with --yes",
    )
    session.consent.ask(f"{what}. Delete?", refused)


def _agree(session: Session, spec: Spec, wanted: Wanted, have: State) -> None:
    """What will be made, and what it costs, before it is."""
    from roost.model.steps import Create, describe
    from roost.plan.up import plan_up
    from roost.recipes.rented import rates_of

    made = [step for step in plan_up(wanted, have).steps if isinstance(step, Create)]
    if not any(step.kind in ("instance", "volume", "address") for step in made):
        return
    for step in made:
        say(f"  {describe(step)}")
    cost = hourly(spec, wanted)
    say(f"it costs {cost}; `roost plan` says more")
    if spec.budget is not None and rates_of(spec) is None:
        say("note: a price is unknown, so the machine cannot hold the budget of the file")
    refused = NeedsConfirmationError(
        f"this rents machines for {cost}, and needs a yes",
        exists=have.conditions,
        next="the same with --yes",
    )
    session.consent.ask(f"Make {spec.name}?", refused)


def hourly(spec: Spec, wanted: Wanted) -> str:
    """``"at most $0.4587 an hour while it runs"``."""

    from roost.cli.text.money import todays_book
    from roost.cost.bill import Use
    from roost.cost.charges import lasting
    from roost.cost.rates import section
    from roost.plan.bill import bill_for, bill_of

    bill = bill_for(spec, wanted) or bill_of(wanted, "", "")
    return f"{section(lasting(bill, Use(1, 1), todays_book())).amount} an hour"


def _check_folder(session: Session, spec: Spec, record: str | None) -> None:
    """Two files of one name in different folders are most likely two different things."""
    from roost.spec import from_json

    made = from_json(record) if record else spec
    if made.folder == spec.folder:
        return
    what = f"{spec.name} exists, and was made from a file in {made.folder}"
    refused = NeedsConfirmationError(
        what, next=f"another name in the file, or: roost up ... --yes   (changes {spec.name})"
    )
    question = f"{what}. Change it to what this file says?"
    session.consent.ask(question, refused)


def bring_and_report(
    session: Session,
    cloud: Cloud,
    wanted: Wanted,
    as_json: bool,
    *,
    verb: str,
    drop: frozenset[str] = frozenset(),
    as_parked: bool = False,
) -> None:
    """Bring it up, and say what runs; also where only a part of it could be had."""
    from roost.app.lifecycle import bring_up
    from roost.app.provisioning import settle
    from roost.reconcile.quorum import PartlyUpError

    fresh = verb == "up"
    try:
        state = bring_up(session, cloud, wanted, verb=verb, drop=drop, as_parked=as_parked)
    except PartlyUpError as error:
        settle(session, cloud, error.state, fresh=fresh)
        report(cloud, wanted, error.state, as_json)
        raise
    settle(session, cloud, state, fresh=fresh)
    report(cloud, wanted, state, as_json)


def bring_back(
    session: Session, name: str, as_json: bool, *, verb: str, as_parked: bool = False
) -> None:
    """All of what a name was made as, running again: from its record, wherever it is."""
    from roost.app.resolve import held, locate, recorded, wanted_for

    cloud = locate(session, name)
    with held(session, cloud, name):
        spec, _ = recorded(cloud, name)
        wanted = wanted_for(spec)
        if cloud.can.rents:
            say(f"while it runs it costs {hourly(spec, wanted)}")
        bring_and_report(session, cloud, wanted, as_json, verb=verb, as_parked=as_parked)


def report(cloud: Cloud, wanted: Wanted, state: State, as_json: bool) -> None:
    """What runs now, and where to go: the address alone on stdout, or JSON."""
    from roost.app.lifecycle import instance_json, remember_ways
    from roost.plan.up import plan_up
    from roost.ssh.browser import address_of

    remember_ways(cloud, state)
    address = address_of(state)
    if as_json:
        write_json(
            {
                "name": state.name,
                "cloud": cloud.name,
                "address": address,
                "instances": [instance_json(i) for i in state.instances],
            }
        )
        return
    for note in plan_up(wanted, state).notes:
        say(f"note: {note}")
    say(f"{state.name} is up: {_counted(state)}")
    if cloud.can.shell is None:
        _say_how_to_reach(state)
    if address:
        say(f"open this address in a browser (or: {command_line('roost', 'open', state.name)}):")
        click.echo(address)


def _say_how_to_reach(state: State) -> None:
    from roost.ssh.pages import page_of

    say("a shell:      " + command_line("roost", "ssh", state.name))
    if page_of(state.record) is not None:
        say("its page:     " + command_line("roost", "open", state.name))


def _counted(state: State) -> str:
    """``"1 head, 2 workers"``."""
    roles = Counter(i.role for i in state.instances)
    return ", ".join(f"{n} {role}{'' if n == 1 else 's'}" for role, n in roles.items())
