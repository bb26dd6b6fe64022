"""The rules of the buckets that volumes go to, looked at and said before parking begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError, command_line
from roost.parking.volume_agent import s3_place

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.parking.choices import Choices
    from roost.parking.volume_agent import BucketRules
    from roost.providers.provider import Cloud
    from roost.session import Session


def agree_on_buckets(session: Session, cloud: Cloud, have: State, choices: Choices) -> None:
    """Say what a bucket would do with a copy by itself; ask where a rule would delete it.

    Raises NeedsConfirmationError.
    """
    from roost.parking import ssh_volume_agent

    volumes = [volume for volume in have.volumes if volume.name in choices.roots]
    if not volumes:
        return
    places = tuple(s3_place(choices.roots[volume.name], have, volume) for volume in volumes)
    with ssh_volume_agent.connect(
        session, cloud, have, choices.roots, choices.classes, session.say
    ) as agent:
        rules = agent.bucket_rules(places)
    for text in dict.fromkeys(text for one in rules for text in _notes(one)):
        session.say(f"note: {text}")
    deleting = [f"{one.place}: {text}" for one in rules for text in one.deletes]
    if not deleting:
        return
    what = "the bucket would delete the parked data\n  " + "\n  ".join(deleting)
    refused = NeedsConfirmationError(
        what,
        exists=have.conditions,
        next="another place (--to), or a rule without it; or the same with --yes: "
        + command_line("roost", "park", have.name, "--yes"),
    )
    session.consent.ask(f"{what}\nPark it there all the same?", refused)


def _notes(rules: BucketRules) -> list[str]:
    bucket = rules.place.split("/")[2]
    notes = [f"s3://{bucket}: {text}; such objects must be restored first" for text in rules.moves]
    if rules.versioned is False:
        notes.append(
            f"s3://{bucket} keeps no versions: an object that somebody deletes there is gone"
        )
    if rules.unknown:
        notes.append(
            f"s3://{bucket}: what it deletes or moves by itself is unknown ({rules.unknown})"
        )
    return notes
