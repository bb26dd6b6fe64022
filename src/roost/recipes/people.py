"""The public keys of those whom the file lets in, beside the key of whoever made the machine. Pure.

sshd reads this second file of a user's by itself. It is written whole, so that who is taken out of
the file comes in no more; what is in the first file is the machine's user's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.model.resources import GATEWAY
from roost.recipes.base import Context, Recipe
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec

PLACE = "~/.ssh/authorized_keys2"
HEADER = (
    "# Written by roost: [access] keys of the file. Your own keys: authorized_keys, beside this.\n"
)


SEAT = "~/.ssh/authorized_keys3"
SSHD = "/etc/ssh/sshd_config.d/61-roost-seat.conf"
READS = "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 .ssh/authorized_keys3\n"
ONWARD = "AllowTcpForwarding local\nAllowStreamLocalForwarding no\n"
"""What `permitopen` does not say: a port of the gateway is nobody's, and no socket leads to root.
"""


def only_to(address: str | None, key: str) -> str:
    """Return the line of a key that leads on to the SSH port of one machine, and nowhere else.

    Whoever has it gets no shell: those of the login user are root's.
    """
    options = f'restrict,port-forwarding,permitopen="{address}:22",command="/bin/false"'
    return f"{options} {key}"


def steps(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    """Return the steps that let in whom the file names, and nobody else."""
    known = {f"{spec.cloud}:{name}": key for name, key in context.key_pairs.items()}
    keys = [known.get(key, key) for key in spec.access.keys]
    content = HEADER + "".join(f"{key}\n" for key in keys)
    file = File(PLACE, content, "0600", "user")
    everybody = Step(name="people", title="letting in whom the file names", files=(file,), own=True)
    if spec.kind != "classroom" or context.seat_keys is None:
        return (everybody,)
    return (everybody, _of_the_seat(context.seat_keys, role))


def _of_the_seat(keys: tuple[str, ...], role: Role) -> Step:
    """Return the step for whoever has this seat: their key is on no other one.

    It is a file of its own, so that it stays where a computer without the table hands over.
    """
    content = "# Written by roost: whoever has this seat.\n" + "".join(f"{key}\n" for key in keys)
    return Step(
        name="seat-key",
        title="letting in whoever has the seat",
        files=(
            File(SEAT, content, "0600", "user"),
            File(SSHD, READS + (ONWARD if role == GATEWAY else "")),
        ),
        commands=(Command(argv=("systemctl", "try-reload-or-restart", "ssh.service")),),
        own=True,
    )


RECIPE = Recipe(steps=steps)
