"""A right as ``roost iam`` prints it: ``schema/output/iam.schema.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.providers.account import Grant


def policy_text(grant: Grant) -> str:
    """Write the document itself, ready to be saved."""
    return json.dumps(grant.policy, indent=2)


def as_data(grant: Grant) -> dict[str, Any]:
    """Return all of it, for programs."""
    return {
        "name": grant.title,
        "policy": grant.policy,
        **({} if grant.trust is None else {"trust": grant.trust}),
        "commands": grant.commands,
        "calls": grant.calls,
    }
