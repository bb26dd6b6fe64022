"""``roost resize``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import click

from roost.cli.options import json_option, name_argument, place_options, yes_options
from roost.cli.output import say
from roost.cli.terminal import session as open_session
from roost.errors import (
    AccessError,
    CapacityError,
    CloudError,
    NeedsConfirmationError,
    QuotaError,
    RoostError,
    ThrottledError,
    UsageError,
    command_line,
)
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import Role, State, Wanted
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec

TABLES = {"desktop": "machine", "seat": "machine", "head": "head", "worker": "workers"}
"""The table of the file that says what the machines of a role are."""
NEEDS = ("type", "cpus", "memory", "gpus", "gpu", "gpu_memory")


@click.command("resize")
@name_argument
@click.argument("role", required=False, type=click.Choice(["head", "worker"]))
@click.option("--type", "type_", metavar="TYPE", help="Exactly this type of machine.")
@click.option("--cpus", type=click.IntRange(1), help="The cheapest with so many CPUs.")
@click.option("--memory", metavar="SIZE", help='And so much memory ("64GB").')
@click.option("--gpus", type=click.IntRange(1), help="And so many GPUs.")
@click.option("--gpu", metavar="MODEL", help="Of this model.")
@click.option("--no-start", is_flag=True, help="Leave it stopped.")
@place_options
@json_option
@yes_options
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    role: str | None,
    type_: str | None,
    cpus: int | None,
    memory: str | None,
    gpus: int | None,
    gpu: str | None,
    no_start: bool,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Make it another type of machine: it is stopped, changed and started; disks and volumes stay.

    What does not fit (another processor, a zone without the type) is said before anything stops.
    Where the new type cannot be started, the old one comes back. Workers of a cluster are replaced.

    \b
    Examples:
      roost resize scipion --type g5.4xlarge
      roost resize scipion --cpus 32 --gpus 1
      roost resize ndvi worker --cpus 8
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.provisioning import settle
    from roost.app.resolve import held, locate, recorded, wanted_for
    from roost.cli.commands.up import hourly, report

    asked = {"type": type_, "cpus": cpus, "memory": memory, "gpus": gpus, "gpu": gpu}
    cloud = locate(session, name)
    if not cloud.can.rents:
        raise UsageError(f"{name} runs on your own machine; [local] says how much of it")
    with held(session, cloud, name):
        spec, have = recorded(cloud, name)
        which = _role(spec, role)
        _check_there(have, which)
        changed = _changed(spec, which, {k: v for k, v in asked.items() if v is not None})
        wanted = wanted_for(changed)
        kind = next(g.shape.type for g in wanted.groups if g.role == which)
        _check(cloud, have, which, kind)
        if spec.budget is not None:
            say("note: the machine goes on counting its budget by the price it was started with")
        say(f"with {kind} it costs {hourly(changed, wanted)} while it runs")
        _confirm(session, have, which, kind)
        state = _resize(session, cloud, wanted, wanted_for(spec), which, start=not no_start)
        settle(session, cloud, state, fresh=False)
    report(cloud, wanted, state, as_json)


def _role(spec: Spec, role: str | None) -> Role:
    if spec.kind == "cluster":
        if role is None:
            raise UsageError(
                f"{spec.name} is a cluster: its head, or its workers?",
                next=command_line("roost", "resize", spec.name, "worker", "--type", "..."),
            )
        return cast("Role", role)
    if role is not None:
        raise UsageError(f"{spec.name} is a {spec.kind}; only a cluster has a {role}")
    return "seat" if spec.kind == "classroom" else "desktop"


def _check_there(have: State, role: Role) -> None:
    """What is parked has no machine to change, and nothing is rented by the way."""
    if not any(i.role == role for i in have.instances):
        raise RoostError(
            f"{have.name} has no {role} now: it is parked, or was never up",
            next="another type in the file, then: roost up FILE   (or: "
            + command_line("roost", "resume", have.name)
            + ")",
        )


def _changed(spec: Spec, role: Role, asked: dict[str, Any]) -> Spec:
    """The spec with another machine, as if the file said so. Raises SpecError."""
    from roost.providers.rules import rules_of
    from roost.spec import from_json

    if not asked:
        raise UsageError(
            "which machine?",
            next=command_line("roost", "resize", spec.name, "--type", "m7i.4xlarge"),
        )
    if "type" in asked and len(asked) > 1:
        raise UsageError("--type says all of a machine; nothing else counts beside it")
    raw = json.loads(spec.to_json())
    table = raw.setdefault(TABLES[role], {})
    gone = (*NEEDS, "types") if "type" in asked else ("type", "types")
    kept = {key: value for key, value in table.items() if key not in gone}
    raw[TABLES[role]] = {**kept, **asked}
    region = rules_of(spec.cloud).price_region(spec)
    return from_json(json.dumps(raw), region=region)


def _check(cloud: Cloud, have: State, role: Role, kind: str) -> None:
    """Ask for what the cloud would refuse, before anything is stopped. Raises UsageError."""
    from roost.providers.provider import need

    names = [i.name for i in have.instances if i.role == role and i.shape.type != kind]
    if names and role != "worker":
        need(cloud.can.resizing, "resize", cloud).check_type(have.name, tuple(names), kind)


def _confirm(session: Session, have: State, role: Role, kind: str) -> None:

    up = [
        i.name
        for i in have.instances
        if i.role == role and i.shape.type != kind and i.state in ("running", "pending")
    ]
    if not up:
        return
    refused = NeedsConfirmationError(
        f"{', '.join(up)} is running, and has to be stopped for this",
        exists=have.conditions,
        next=command_line("roost", "resize", have.name, "...", "--yes"),
    )
    question = f"{', '.join(up)}: stop, become {kind}, and start? Programs that run there end."
    session.consent.ask(question, refused)


def _resize(
    session: Session, cloud: Cloud, wanted: Wanted, before: Wanted, role: Role, *, start: bool
) -> State:
    """Resize; where the new type does not start, back to the old one, and say why."""
    kind = next(g.shape.type for g in wanted.groups if g.role == role)
    say(f"{wanted.name}: {role} becomes {kind}")
    try:
        return _drive(session, cloud, wanted, role, start=start)
    except (CapacityError, QuotaError) as error:
        why: CloudError | AccessError = error
    except CloudError as error:
        if isinstance(error, ThrottledError):
            raise
        why = error
    old = next(g.shape.type for g in before.groups if g.role == role)
    say(f"{kind} cannot be had now; going back to {old}")
    state = _drive(session, cloud, before, role, start=start)
    raise type(why)(
        f"{why.what}; {wanted.name} is {old} again",
        exists=state.conditions,
        next=command_line("roost", "resize", wanted.name, "--type", "ANOTHER")
        + "   (or the same, later)",
    )


def _drive(session: Session, cloud: Cloud, wanted: Wanted, role: Role, *, start: bool) -> State:
    from roost.app.lifecycle import drive
    from roost.plan.resize import plan_resize

    return drive(
        session,
        cloud,
        wanted.name,
        lambda have, given_up: plan_resize(wanted, have, role, given_up, start=start),
        title=f"resize {wanted.name}",
        total=sum(group.count for group in wanted.groups),
    )
