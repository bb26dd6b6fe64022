"""Who may reach the machines, and who may run them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from roost.spec.public_keys import expand
from roost.spec.table import Table, around, wrong
from roost.spec.values import Source

USER = r"^[A-Za-z0-9_+=,.@-]{1,64}$"
"""IAM's user names."""


def _user(found: str) -> str:
    if not re.fullmatch(USER, found):
        raise wrong(
            "not the name of an IAM user",
            allowed="letters, digits and _+=,.@-; at most 64",
        )
    return found


User = Annotated[str, AfterValidator(_user), WithJsonSchema({"type": "string", "pattern": USER})]


class Access(Table):
    """The addresses that may reach the machines. ``"me"`` is the address that roost runs from."""

    ssh: tuple[Source, ...] = Field(
        ("me",), description='Who may use SSH: "me", "anywhere", networks as "192.0.2.0/24".'
    )
    https: tuple[Source, ...] = Field(
        (), description="Who may use the web page without an SSH tunnel; nobody by default."
    )
    address: Literal["changing", "fixed"] = Field(
        "changing",
        description="fixed: an Elastic IP, the same after stop and start; it costs while stopped.",
    )
    keys: tuple[str, ...] = Field(
        (),
        description="Who may log in besides you, by public key: a key with a name after it, a file"
        ' of such keys, or "aws:NAME" for a key pair of the account.',
        examples=[["ssh-ed25519 AAAAC3Nz... alice", "keys/bob.pub", "aws:lab"]],
    )
    operators: tuple[User, ...] = Field(
        (), description="Users of the account who may start, stop and reboot, and nothing else."
    )

    @field_validator("keys")
    @classmethod
    def _expanded(cls, found: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return expand(found, around(info))

    def key_pairs(self, cloud: str) -> tuple[str, ...]:
        """Return the names of the key pairs of a cloud that are among the keys."""
        mine = f"{cloud}:"
        return tuple(key.removeprefix(mine) for key in self.keys if key.startswith(mine))
