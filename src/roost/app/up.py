"""Make what a file asks for: agree on losses and costs first, then bring it up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError, command_line
from roost.model.record import read_record
from roost.model.steps import Create, explain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roost.app.lifecycle import Running
    from roost.model.resources import State, Wanted
    from roost.plan.up import Plan
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec

LONGEST_PATH = 4096
"""Characters of Linux's longest path."""


def up(session: Session, target: str | None, fresh: Iterable[str] = ()) -> Running:
    """Bring up a file or a name; without a target, the file of this folder.

    ``fresh`` are volumes and machines to be made empty, because their copies are lost.
    """
    from roost.app.resolve import DEFAULT_FILE, file_or_name, spec_of

    spec = spec_of(session, target)
    # A record's paths are others' words.
    own = isinstance(file_or_name(target), Path)
    return up_spec(session, spec, target or DEFAULT_FILE, fresh, own=own)


def up_spec(
    session: Session,
    spec: Spec,
    file: str,
    fresh: Iterable[str] = (),
    *,
    own: bool = True,
    cloud: Cloud | None = None,
) -> Running:
    """Bring up what a spec says; ``file`` is what hints call it.

    Everything that can fail or needs a yes comes before the first change. ``own``: it is the words
    of this computer's user, whose paths may be read. ``cloud``: the one that it will be ended with,
    which knows what was made a moment ago.
    """
    from roost.app.comeback import check_copies
    from roost.app.ends import refuse_past_end
    from roost.app.given import give
    from roost.app.lifecycle import bring_up
    from roost.app.price_rise import agree_on_volumes
    from roost.app.ranges import as_followed, follow_file, told
    from roost.app.resolve import connect, fitted, held, wanted_for
    from roost.plan.up import plan_up
    from roost.providers.registry import provider_of

    refuse_past_end(spec)
    cloud = cloud or connect(session, spec)
    provider_of(spec.cloud).remember(cloud, session.place, spec)
    wanted_for(spec)  # what is wrong with the file is said before the cloud is asked
    if cloud.can.preflight is not None:
        cloud.can.preflight.begin(spec)
    with held(session, cloud, spec.name) as have:
        agree_on_folder(session, spec, have.record)
        spec = as_followed(cloud, spec, have)
        wanted = fitted(cloud, spec, have)
        empty = check_copies(session, cloud, wanted, have, fresh)
        plan = plan_up(wanted, have, fresh=empty)
        agree_on_losses(session, plan, have)
        check_first(session, cloud, spec, wanted, have, plan, file)
        if cloud.can.rents:
            agree_on_cost(session, cloud, spec, wanted, have, plan)
            agree_on_volumes(session, cloud, plan, have)
            if own:
                give(cloud, spec)
        renewed = cloud.can.renewal.renew(spec, have) if cloud.can.renewal is not None else ()
        running = bring_up(session, cloud, wanted, verb="up", fresh=empty)
        follow_file(cloud, spec)
        notes = (*running.notes, *renewed, *told(cloud, running.state))
        return replace(running, notes=notes)


def agree_on_folder(session: Session, spec: Spec, record: str | None) -> None:
    """Ask where the name was made from a file in another folder: most likely another thing."""
    before = read_record(record).folder[:LONGEST_PATH]
    if before in ("", str(spec.folder)):  # a damaged record says none: this file makes it anew
        return
    what = f"{spec.name} exists, and was made from a file in {before}"
    refused = NeedsConfirmationError(
        what, next=f"another name in the file, or: roost up ... --yes   (changes {spec.name})"
    )
    session.consent.ask(f"{what}. Change it to what this file says?", refused)


def agree_on_losses(session: Session, plan: Plan, have: State) -> None:
    """Ask before anything goes that cannot be had back: the disks of machines, and addresses."""
    from roost.plan.losses import disks_lost, losses

    lost = losses(plan, have)
    if not lost:
        return
    what, again = "\n".join(lost), "the same with --yes"
    if disks_lost(plan, have):
        park = command_line("roost", "park", have.name)
        again = f"{park}   (saves what is on disks), or: {again}"
    refused = NeedsConfirmationError(what, exists=have.conditions, next=again)
    session.consent.ask(f"{what}. Continue?", refused)


def check_first(
    session: Session,
    cloud: Cloud,
    spec: Spec,
    wanted: Wanted,
    have: State,
    plan: Plan,
    file: str,
) -> None:
    """Let the cloud check what can fail, before anything is made. Raises RoostError."""
    preflight = cloud.can.preflight
    if preflight is None:
        return
    launches = any(isinstance(s, Create) and s.kind == "instance" for s in plan.steps)
    for finding in preflight.check(spec, wanted, have, file, launches=launches):
        if finding.verdict != "ok":
            session.say(f"{finding.verdict}: {finding.text}")
            if finding.mend:
                session.say(f"  -> {finding.mend}")


def agree_on_cost(
    session: Session, cloud: Cloud, spec: Spec, wanted: Wanted, have: State, plan: Plan
) -> None:
    """Say what will be made and what it costs, and ask. What costs nothing is not asked for.

    Where the number of workers follows the work, the most of them is what it can cost.
    """
    from roost.app.lifecycle import hourly
    from roost.app.price_rise import agree_on_most, rents_more
    from roost.app.prices import book_for
    from roost.app.ranges import with_most
    from roost.cost.estimate import burstable_notes
    from roost.recipes.rented import rates_of

    creates = [step for step in plan.steps if isinstance(step, Create)]
    if not any(map(rents_more, creates)):
        agree_on_most(session, cloud, spec, have)
        return
    for step in creates:
        session.say(f"  {explain(step, first=have.empty)}")
    cost = hourly(cloud, wanted)
    if most := with_most(cloud, spec, have):
        cost += f" ({most})"
    session.say(f"it costs {cost}; `roost plan` says more")
    book = book_for(cloud, wanted.record)
    types = {group.shape.type for group in wanted.groups} if book.site is None else set()
    for note in burstable_notes(types, book.catalogue):
        session.say(f"note: {note}")
    fitted = {group.role: group.shape.type for group in wanted.groups}
    if spec.budget is not None and rates_of(spec, fitted) is None:
        session.say("note: a price is unknown, so the machine cannot keep to the file's budget")
    refused = NeedsConfirmationError(
        f"this rents machines for {cost}, and needs a yes",
        exists=have.conditions,
        next="the same with --yes",
    )
    session.consent.ask(f"Make {spec.name}?", refused)
