"""Make the machines of a role another type: stop, change, start."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from roost.errors import (
    CloudError,
    NeedsConfirmationError,
    QuotaError,
    RoostError,
    ThrottledError,
    UsageError,
    command_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from roost.app.lifecycle import Running
    from roost.model.resources import Instance, Role, State, Wanted
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec

TABLES = {"desktop": "machine", "seat": "machine", "head": "head", "worker": "workers"}
"""The table of the file that describes the machines of a role."""
NEEDS = ("type", "cpus", "memory", "gpus", "gpu", "gpu_memory")


@dataclass(frozen=True, slots=True)
class Change:
    """Machines of ``role`` go from one type to another; what the file then wants, and before."""

    role: Role
    old: str
    new: str
    wanted: Wanted
    before: Wanted

    def machines(self, have: State) -> list[Instance]:
        """Return the machines that are not of the new type yet."""
        return [i for i in have.instances if i.role == self.role and i.shape.type != self.new]


def resize(
    session: Session, name: str, role: str | None, needs: dict[str, Any], *, start: bool = True
) -> Running:
    """Make the machines of a role another type, by ``needs``, the keys of the file's table."""
    return change_machine(session, name, role, lambda _: needs, start=start)


def change_machine(
    session: Session,
    name: str,
    role: str | None,
    choose: Callable[[Spec], Mapping[str, Any]],
    *,
    start: bool = True,
) -> Running:
    """Make the machines of a role what ``choose`` says of the spec: keys of the file's table.

    All that can be refused is refused before anything stops. Where the new type cannot be
    started, the old one comes back, and the error says why.
    """
    from roost.app.lifecycle import running
    from roost.app.price_rise import costs_more
    from roost.app.provisioning import settle
    from roost.app.resolve import fitted, held, locate, spec_in
    from roost.providers.provider import need

    cloud = locate(session, name)
    if cloud.can.shell is not None:
        raise UsageError(f"{name} runs on your own machine; [local] says how much of it")
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        target = chosen_role(spec, role, have)
        changed = changed_spec(spec, target, choose(spec))
        wanted, before = fitted(cloud, changed, have), fitted(cloud, spec, have)
        change = Change(target, type_of(before, target), type_of(wanted, target), wanted, before)
        names = tuple(i.name for i in change.machines(have))
        if names and target != "worker":
            need(cloud.can.resizing, "resize", cloud).check_type(name, names, change.new)
        if spec.budget is not None:
            session.say("note: the machine keeps counting its budget by the price it began with")
        agree(session, have, change, dearer=costs_more(session, cloud, before, wanted))
        state = change_or_go_back(session, cloud, change, start=start)
        limits = settle(session, cloud, state, fresh=False)
        return running(cloud, wanted, state, limits)


def chosen_role(spec: Spec, role: str | None, have: State) -> Role:
    """Return the role that is meant. Raises UsageError, or RoostError where it has no machine.

    What is parked has no machine to change, and none is rented only to change it.
    """
    if spec.kind == "cluster" and role is None:
        raise UsageError(
            f"{spec.name} is a cluster: its head, or its workers?",
            next=command_line("roost", "resize", spec.name, "worker", "--type", "..."),
        )
    if spec.kind != "cluster" and role is not None:
        raise UsageError(f"{spec.name} is a {spec.kind}; only a cluster has a {role}")
    only = "seat" if spec.kind == "classroom" else "desktop"
    chosen = cast("Role", role or only)
    if not any(i.role == chosen for i in have.instances):
        resume = command_line("roost", "resume", have.name)
        raise RoostError(
            f"{have.name} has no {chosen} now: it is parked, or was never up",
            next=f"another type in the file, then: roost up FILE   (or: {resume})",
        )
    return chosen


def changed_spec(spec: Spec, role: Role, needs: Mapping[str, Any]) -> Spec:
    """Return the spec with another machine, as if the file said so. Raises SpecError."""
    from roost.providers.rules import rules_of
    from roost.spec import from_json

    if not needs:
        raise UsageError(
            "which machine?",
            next=command_line("roost", "resize", spec.name, "--type", "m7i.4xlarge"),
        )
    if "type" in needs and len(needs) > 1:
        raise UsageError("--type says all of a machine; nothing else counts beside it")
    raw = json.loads(spec.to_json())
    table = raw.setdefault(TABLES[role], {})
    replaced = (*NEEDS, "types") if "type" in needs else ("type", "types")
    kept = {key: value for key, value in table.items() if key not in replaced}
    raw[TABLES[role]] = {**kept, **needs}
    rules = rules_of(spec.cloud)
    region = rules.price_region(spec) if rules.regions is not None else None
    return from_json(json.dumps(raw), region=region)


def type_of(wanted: Wanted, role: Role) -> str:
    """Return the type of the machines of a role."""
    return next(group.shape.type for group in wanted.groups if group.role == role)


def agree(session: Session, have: State, change: Change, *, dearer: bool) -> None:
    """Ask before machines are stopped that run, and before they become ``dearer``."""
    there = change.machines(have)
    up = [i.name for i in there if i.state in ("running", "pending")]
    if not up and not (there and dearer):
        return
    names = ", ".join(up or (i.name for i in there))
    why = "is running, and has to be stopped for this" if up else "costs more then, and needs a yes"
    refused = NeedsConfirmationError(
        f"{names} {why}",
        exists=have.conditions,
        next=command_line("roost", "resize", have.name, "...", "--yes"),
    )
    question = f"{names}: become {change.new}?"
    if up:
        question = f"{names}: stop, become {change.new}, and start? Programs that run there end."
    session.consent.ask(question, refused)


def change_or_go_back(session: Session, cloud: Cloud, change: Change, *, start: bool) -> State:
    """Change the type; where the new one does not start, change back, and raise the reason."""
    name = change.wanted.name
    session.say(f"{name}: {change.role} becomes {change.new}")
    try:
        return change_type(session, cloud, change.wanted, change.role, start=start)
    except ThrottledError:
        raise
    except (CloudError, QuotaError) as error:
        why = error
    session.say(f"{change.new} cannot be had now; going back to {change.old}")
    state = change_type(session, cloud, change.before, change.role, start=start)
    raise type(why)(
        f"{why.what}; {name} is {change.old} again",
        exists=state.conditions,
        next=command_line("roost", "resize", name, "--type", "ANOTHER") + "   (or the same, later)",
    )


def change_type(
    session: Session, cloud: Cloud, wanted: Wanted, role: Role, *, start: bool
) -> State:
    """Bring all machines of a role to the type that is wanted."""
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
