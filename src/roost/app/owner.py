"""Whose a name is, before it is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session


def check_owner(session: Session, cloud: Cloud, have: State) -> None:
    """Refuse to change what is another's, unless it is taken over.

    Raises NeedsConfirmationError. Where nobody is noted (an older roost made it), anyone may go on.
    """
    owners, owner = cloud.can.owners, have.owner
    if owners is None or owner is None or owners.is_mine(owner, have.record):
        return
    if not session.take_over:
        raise NeedsConfirmationError(
            f"{have.name} belongs to {owner.text}, and that is not you; nothing was changed",
            exists=have.conditions,
            next="another name in your file, or ask them; or: the same with --take-over   (it is"
            " yours then)",
        )
    owners.take_over(have.name)
    session.say(f"{have.name} belonged to {owner.text}; it is yours now")
    if have.instances:
        session.warn(
            "machines that are there let in only whom they let in before; if you are not among"
            " them, somebody who is adds your key to [access] keys of the file, and: roost up FILE"
            "   (machines made from now on let you in)"
        )
