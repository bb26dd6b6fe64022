"""Who may reach the machines, and who may run them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from roost.reach import GATEWAY, HOST, Reach
from roost.spec.public_keys import expand
from roost.spec.table import Table, around, wrong
from roost.spec.values import Source, matching

USER = r"^[A-Za-z0-9_+=,.@-]{1,64}$"
"""IAM's user names."""


HostName = Annotated[
    str,
    AfterValidator(matching(HOST, "not the name of a host", 'as in "class.example.org"')),
    WithJsonSchema({"type": "string", "pattern": HOST.pattern}),
]
User = Annotated[
    str,
    AfterValidator(
        matching(USER, "not the name of an IAM user", "letters, digits and _+=,.@-; at most 64")
    ),
    WithJsonSchema({"type": "string", "pattern": USER}),
]

Gateway = Annotated[
    str,
    AfterValidator(matching(GATEWAY, "not a gateway", '"USER@HOST" or "USER@HOST:PORT"')),
    WithJsonSchema({"type": "string", "pattern": GATEWAY.pattern}),
]


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
        exclude_if=lambda found: not found,  # records of before have no such key
        description="Who may log in besides you, by public key: a key with a name after it, a file"
        ' of such keys, or "aws:NAME" for a key pair of the account.',
        examples=[["ssh-ed25519 AAAAC3Nz... alice", "keys/bob.pub", "aws:lab"]],
    )
    reach: Reach = Field(
        "public",
        exclude_if=lambda found: found == "public",  # records of before have no such key
        description="How roost comes to the machines: by public addresses; through a gateway, which"
        " roost makes unless `jump` names one that is there; or by AWS's Session Manager.",
    )
    jump: Gateway | None = Field(
        None,
        description='A gateway that is there, for reach = "jump". Your own ssh must reach it'
        " without a question.",
        examples=["alice@gateway.lab.example"],
    )
    host: HostName | None = Field(
        None,
        exclude_if=lambda found: found is None,  # records of before have no such key
        description="The gateway's name in the DNS, which you lead to its address: the pages of a "
        "class then have a certificate that every browser knows (by ACME).",
        examples=["class.example.org"],
    )
    operators: tuple[User, ...] = Field(
        (), description="Users of the account who may start, stop and reboot, and nothing else."
    )

    @field_validator("keys")
    @classmethod
    def _expanded(cls, found: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return expand(found, around(info))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.host is not None and not self.makes_gateway:
            what = "it is the name of the gateway that roost makes for a class"
            raise wrong(what, hint='reach = "jump", without `jump`', at=("host",))
        if self.jump is not None and self.reach != "jump":
            raise wrong('`jump` belongs to reach = "jump"', hint='reach = "jump"', at=("jump",))
        if self.reach == "public":
            return self
        if self.address == "fixed":
            what = "the machines have no public address"
            if self.makes_gateway:
                what = "only the gateway is reached from outside, and its address is fixed"
            raise wrong(what, hint="leave it out", at=("address",))
        if self.makes_gateway:
            return self._with_a_page()
        for key, sources in (("ssh", self.ssh), ("https", self.https)):
            if "me" in sources:
                network = '["10.0.0.0/16"]: the network of the gateway'
                raise wrong(
                    'the machines have no public address, and "me" is one',
                    hint=f"{key} = {'[]' if self.reach == 'ssm' else network}",
                    at=(key,),
                )
        return self

    def _with_a_page(self) -> Self:
        """Refuse a host's name whose certificate nobody could sign."""
        if self.host is not None and "anywhere" not in self.https:
            what = "the authority that signs its certificate asks for it at port 443"
            raise wrong(what, hint='https = ["anywhere"]', at=("host",))
        return self

    @property
    def makes_gateway(self) -> bool:
        """True if roost makes one more machine, through which all others are reached."""
        return self.reach == "jump" and self.jump is None

    @property
    def has_way_out(self) -> bool:
        """True if machines have a public address where their network has no other way out."""
        return self.reach == "public" or self.makes_gateway

    def key_pairs(self, cloud: str) -> tuple[str, ...]:
        """Return the names of the key pairs of a cloud that are among the keys."""
        mine = f"{cloud}:"
        return tuple(key.removeprefix(mine) for key in self.keys if key.startswith(mine))
