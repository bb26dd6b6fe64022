"""``roost up``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from roost.cli.options import Place, file_argument, json_option, place_options, yes_options
from roost.cli.output import say, write_json
from roost.errors import NeedsConfirmationError, command_line

if TYPE_CHECKING:
    from roost.clouds.aws.cloud import AwsCloud
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State, Wanted
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
    say(command_line("roost", "up", target or "roost.toml"))
    from roost.cli.target import DEFAULT_FILE, connect, held, spec_of, wanted_for
    from roost.clouds.local.ready import check_port, check_room

    spec = spec_of(target, place)
    where = connect(spec, place)
    if where.name == "aws":
        from roost.clouds.aws.session import remember

        remember(where.region, place.profile or (spec.aws.profile if spec.aws else None))
    wanted = wanted_for(spec)
    if spec.kind == "cluster" and spec.cloud == "local":
        check_room(spec.environment)

    with held(where, spec.name):
        have = where.observe(spec.name)
        _check_folder(spec, have.record, yes=yes, no_input=no_input)
        if spec.kind == "cluster" and spec.cloud == "local":
            check_port(spec.jupyter.port if spec.jupyter.enabled else None, have)
        _agree_to_lose(wanted, have, yes=yes, no_input=no_input)
        if where.name == "aws":
            _check_account(where, spec, wanted, have, target or DEFAULT_FILE)
            _agree(spec, wanted, have, yes=yes, no_input=no_input)
        bring_and_report(where, wanted, as_json, verb="up")


def _check_account(where: Cloud, spec: Spec, wanted: Wanted, have: State, file: str) -> None:
    """Network, quotas and the machines' role, before anything is made.

    Raises RoostError, QuotaError, AccessError.
    """
    from roost.clouds.aws.cloud import AwsCloud
    from roost.clouds.aws.quotas import check_before

    assert isinstance(where, AwsCloud)
    where.check_network(spec.name, spec.aws)
    for finding in check_before(where.clients, wanted, have, where.region):
        say(f"{finding.verdict}: {finding.text}")
    if _launches(wanted, have):
        _check_role(where, spec, have, file)


def _launches(wanted: Wanted, have: State) -> bool:
    """Whether a machine will be made: those that are there keep their role."""
    from roost.plan.plan import plan_up
    from roost.plan.steps import Create

    steps = plan_up(wanted, have).steps
    return any(isinstance(step, Create) and step.kind == "instance" for step in steps)


def _check_role(where: AwsCloud, spec: Spec, have: State, file: str) -> None:
    """Raises AccessError where machines could not be given the role that the file names."""
    from roost.clouds.aws.doctor import examine_role
    from roost.errors import AccessError

    for finding in examine_role(where.clients, spec, file):
        if finding.verdict == "problem":
            raise AccessError(finding.text, exists=have.conditions, next=finding.mend)
        if finding.verdict != "ok":
            say(f"{finding.verdict}: {finding.text}")
            say(f"  -> {finding.mend}")


def _agree_to_lose(wanted: Wanted, have: State, *, yes: bool, no_input: bool) -> None:
    """Machines that the file has no more go with what is on their disks. Workers hold nothing."""
    from roost.cli.life import ask
    from roost.plan.plan import plan_up
    from roost.plan.resources import SURPLUS
    from roost.plan.steps import Delete

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
    ask(wanted.name, f"{what}. Delete?", refused, yes=yes, no_input=no_input)


def _agree(spec: Spec, wanted: Wanted, have: State, *, yes: bool, no_input: bool) -> None:
    """What will be made, and what it costs, before it is."""
    from roost.cli.life import ask
    from roost.plan.plan import plan_up
    from roost.plan.steps import Create, describe
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
    ask(spec.name, f"Make {spec.name}?", refused, yes=yes, no_input=no_input)


def hourly(spec: Spec, wanted: Wanted) -> str:
    """``"at most $0.4587 an hour while it runs"``."""

    from roost.cli.money import todays_book
    from roost.plan.bill import bill_of
    from roost.prices.bill import Use
    from roost.prices.charges import lasting
    from roost.prices.rates import section

    region = spec.aws.region if spec.aws else ""
    book = todays_book()
    return f"{section(lasting(bill_of(wanted, region), Use(1, 1), book)).amount} an hour"


def _check_folder(spec: Spec, record: str | None, *, yes: bool, no_input: bool) -> None:
    """Two files of one name in different folders are most likely two different things."""
    from roost.cli.life import ask
    from roost.spec import from_json

    made = from_json(record) if record else spec
    if made.folder == spec.folder:
        return
    what = f"{spec.name} exists, and was made from a file in {made.folder}"
    refused = NeedsConfirmationError(
        what, next=f"another name in the file, or: roost up ... --yes   (changes {spec.name})"
    )
    question = f"{what}. Change it to what this file says?"
    ask(spec.name, question, refused, yes=yes, no_input=no_input)


def bring_and_report(
    cloud: Cloud,
    wanted: Wanted,
    as_json: bool,
    *,
    verb: str,
    drop: frozenset[str] = frozenset(),
    as_parked: bool = False,
) -> None:
    """Bring it up, and say what runs; also where only a part of it could be had."""
    from roost.cli.handover import settle
    from roost.cli.life import bring_up
    from roost.clouds.quorum import PartlyUpError

    fresh = verb == "up"
    try:
        state = bring_up(cloud, wanted, verb=verb, drop=drop, as_parked=as_parked)
    except PartlyUpError as error:
        settle(cloud, error.state, fresh=fresh)
        report(cloud, wanted, error.state, as_json)
        raise
    settle(cloud, state, fresh=fresh)
    report(cloud, wanted, state, as_json)


def bring_back(
    name: str, place: Place, as_json: bool, *, verb: str, as_parked: bool = False
) -> None:
    """All of what a name was made as, running again: from its record, wherever it is."""
    from roost.cli.target import held, locate, recorded, wanted_for

    cloud = locate(name, place)
    with held(cloud, name):
        spec, _ = recorded(cloud, name)
        wanted = wanted_for(spec)
        if cloud.name == "aws":
            say(f"while it runs it costs {hourly(spec, wanted)}")
        bring_and_report(cloud, wanted, as_json, verb=verb, as_parked=as_parked)


def report(cloud: Cloud, wanted: Wanted, state: State, as_json: bool) -> None:
    """What runs now, and where to go: the address alone on stdout, or JSON."""
    from roost.access.browser import address_of
    from roost.cli.life import instance_json, remember_ways
    from roost.plan.plan import plan_up

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
    if cloud.name != "local":
        _say_how_to_reach(state)
    if address:
        say(f"open this address in a browser (or: {command_line('roost', 'open', state.name)}):")
        click.echo(address)


def _say_how_to_reach(state: State) -> None:
    from roost.access.pages import page_of

    say("a shell:      " + command_line("roost", "ssh", state.name))
    if page_of(state.record) is not None:
        say("its page:     " + command_line("roost", "open", state.name))


def _counted(state: State) -> str:
    """``"1 head, 2 workers"``."""
    roles = Counter(i.role for i in state.instances)
    return ", ".join(f"{n} {role}{'' if n == 1 else 's'}" for role, n in roles.items())
