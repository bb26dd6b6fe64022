"""The looks that roost can do without, and how it does: what they tell is unknown, said once.

A policy may not allow them, and an endpoint that is not EC2's own may not know them. Whoever asks
one goes on without its answer; unknown is never "none".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from roost.providers.aws.failures import code_of, is_refused

T = TypeVar("T")

OPTIONAL = {
    "describe_addresses": "which addresses the account has",
    "describe_instance_status": "whether EC2's checks of machines pass",
    "describe_instance_type_offerings": "which zones have a type",
    "describe_instance_types": "what a type needs",
    "describe_launch_templates": "which names have only a record",
    "describe_network_interfaces": "which network interfaces are left",
    "describe_placement_groups": "which placement groups are left",
    "describe_route_tables": "which subnets are public",
    "describe_snapshot_tier_status": "which snapshots move to the archive or back",
    "describe_volumes_modifications": "when a volume was last changed",
    "get_console_output": "what machines print on their consoles, and their host keys",
}
"""Each optional call, and what is unknown without it."""


@dataclass(frozen=True, slots=True)
class Unknowns:
    """What was asked and not told; ``tell`` says each once."""

    tell: Callable[[str], None] = lambda _: None
    said: set[str] = field(default_factory=set)

    def without(self, call: str, ask: Callable[[], T]) -> T | None:
        """Return the answer; None, said once, where the account or the endpoint refuses it."""
        from botocore.exceptions import ClientError

        what = OPTIONAL[call]
        try:
            return ask()
        except ClientError as error:
            if not is_refused(error):
                raise
            action = "".join(word.capitalize() for word in call.split("_"))
            text = f"unknown: {what} (ec2:{action}: {code_of(error)})"
        if text not in self.said:
            self.said.add(text)
            self.tell(text)
        return None
