"""The rights that the user, an operator, or the machines of a name need."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from roost.app import resolve
from roost.errors import UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.providers.account import Grant
    from roost.providers.provider import Provider
    from roost.session import Session

Holder = Literal["user", "operator", "machines"]


def grant(session: Session, target: str | None, holder: Holder) -> Grant:
    """Return the least rights of ``holder`` for a file or name (for every one, without a target).

    Raises UsageError where the cloud has no rights to give, or ``holder`` needs none.
    """
    if holder == "machines" and target is None:
        raise UsageError(
            "--machine is for the machines of one file", next="roost iam FILE --machine"
        )
    provider, region = _giver(session, target), session.place.region
    rights = provider.rights
    if rights is None:
        raise _no_rights(provider, target)
    there = replace(session, place=Place(provider.name, region))
    spec = resolve.spec_of(there, target) if target else None
    if holder == "operator":
        return rights.of_operator(spec, region)
    if holder == "machines" and spec is not None:
        return rights.limited_on_machines(spec, region)
    return rights.of_user(spec, region)


def _giver(session: Session, target: str | None) -> Provider:
    """Return the named provider, else the file's if it grants rights, else the first that does."""
    from roost.providers.registry import provider_of, providers

    if session.place.cloud is not None:
        return provider_of(session.place.cloud)
    first = next(p for p in providers() if p.rights is not None)
    if target is None:
        return first
    own = provider_of(resolve.spec_of(session, target).cloud)
    return own if own.rights is not None else first


def _no_rights(provider: Provider, target: str | None) -> UsageError:
    from roost.providers.registry import providers

    words = ("roost", "iam", *([target] if target else []), "--cloud")
    others = [command_line(*words, p.name) for p in providers() if p.rights is not None]
    return UsageError(
        f"nobody needs rights on {provider.title}: it has no policies to give",
        next="   or: ".join(others),
    )
