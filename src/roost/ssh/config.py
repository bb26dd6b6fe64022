"""The text of an OpenSSH configuration, one block for each machine. Pure.

A machine is known by its instance's id (HostKeyAlias), not by its address: an address that changes
after stop and start is followed, and one that has become somebody else's is never mistaken.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roost.errors import UsageError
from roost.model import nodes
from roost.model.record import read_record
from roost.model.resources import GATEWAY, Instance, Role, State
from roost.providers.rules import find_rules
from roost.reach import destination

PORT = 22
OTHER_USER = "ubuntu"
"""Who one is where nothing is known of the image."""
FIRST: tuple[Role, ...] = ("head", "desktop", "seat")
"""Roles of the machine that a name alone means."""
COMMON = (
    ("CheckHostIP", "no"),
    ("HashKnownHosts", "no"),
    ("UpdateHostKeys", "no"),
    ("ServerAliveInterval", "15"),
    ("ServerAliveCountMax", "4"),
    ("ConnectTimeout", "20"),
    ("ControlMaster", "auto"),
    ("ControlPersist", "2m"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine as OpenSSH sees it.

    ``hosts_file`` has its host key; ``known`` says that this key was pinned, and not just the first
    one that was seen. ``jump`` is the alias of the machine through which it is reached; ``through``
    the command that leads to it otherwise.
    """

    aliases: tuple[str, ...]
    address: str
    user: str
    key_alias: str
    hosts_file: Path
    control: Path
    known: bool = False
    jump: str | None = None
    through: Sequence[str] = ()
    port: int = PORT


def alias(name: str, node: str | None = None) -> str:
    """Return ``roost-ndvi``, or ``roost-ndvi-worker-1``: the word to type after ``ssh``."""
    return f"roost-{name}" if node is None else f"roost-{name}-{node}"


def key_alias(name: str, instance: Instance) -> str:
    """Return the alias under which the host key of one instance is filed."""
    return f"roost-{name}-{instance.id}"


def config(title: str, hosts: Sequence[Host], identities: Sequence[Path], file: Path) -> str:
    """Return the whole text, to be written to ``file``.

    Raises UsageError for a path that OpenSSH cannot be told.
    """
    blocks = [f"# {title}; written anew by roost, so changes here are lost\n"]
    blocks += [_block(host, identities, file) for host in hosts]
    return "\n".join(blocks)


def _block(host: Host, identities: Sequence[Path], file: Path) -> str:
    pairs = [
        ("HostName", host.address),
        ("Port", str(host.port)),
        ("User", host.user),
        ("HostKeyAlias", host.key_alias),
        ("UserKnownHostsFile", quoted(host.hosts_file)),
        ("StrictHostKeyChecking", "yes" if host.known else "accept-new"),
        *COMMON,
        ("ControlPath", quoted(host.control)),
        *(("IdentityFile", quoted(key)) for key in identities),
    ]
    if identities:
        pairs.append(("IdentitiesOnly", "yes"))
    if host.jump is not None:
        pairs.append(("ProxyCommand", _through(host.jump, file)))
    elif host.through:
        pairs.append(("ProxyCommand", shlex.join(host.through)))
    lines = "".join(f"  {key} {value}\n" for key, value in pairs)
    return f"Host {' '.join(host.aliases)}\n{lines}"


def _through(jump: str, file: Path) -> str:
    """Return the ProxyCommand that does what ProxyJump would do without quoting the path."""
    quoted(file)  # raises where OpenSSH cannot read the path
    path = shlex.quote(str(file)).replace("%", "%%")
    return f"ssh -F {path} -W '[%h]:%p' -- {jump}"


def by_gateway(gateway: str, control: Path) -> tuple[str, ...]:
    """Return the words that lead through a gateway, by the user's own ssh and its settings.

    It asks nothing: many machines are reached at once. All of them share one connection.
    """
    host, port = destination(gateway)
    shared = (
        *("-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ControlMaster=auto"),
        *("-o", "ControlPersist=2m", "-o", f"ControlPath={str(control).replace('%', '%%%%')}"),
    )
    return ("ssh", *shared, *port, "-W", "[%h]:%p", "--", host)


def by_session_manager(instance: str, region: str, profile: str | None = None) -> tuple[str, ...]:
    """Return the words of AWS's command line that lead to a machine's own port for SSH."""
    return (
        *("aws", "ssm", "start-session", "--target", instance, "--region", region),
        *("--document-name", "AWS-StartSSHSession", "--parameters", "portNumber=%p"),
        *(("--profile", profile.replace("%", "%%")) if profile else ()),
    )


def quoted(path: Path) -> str:
    """Return a path as a value of the configuration: spaces kept, ``%`` no token."""
    text = str(path)
    if re.search(r'["\\\n\r]|\$\{', text):
        raise UsageError(
            f"OpenSSH cannot read a path with quotes, backslashes or ${{: {text}",
            next="export ROOST_HOME=...   (a plain path)",
        )
    return '"' + text.replace("%", "%%") + '"'


# --- from what a cloud has -----------------------------------------------------------------------


def main_machine(state: State) -> Instance | None:
    """Return the machine of the name alone: the head, the desktop, or the first seat."""
    found = [i for i in state.instances if i.role in FIRST]
    return min(found, key=_order) if found else None


def _order(instance: Instance) -> tuple[int, int]:
    return FIRST.index(instance.role), nodes.number_of(instance.name)


def user_of(record: str | None, role: Role) -> str:
    """Return the login user of a machine: the first user, as its image's maker named it."""
    recorded = read_record(record)
    rules = find_rules(recorded.cloud)
    return (rules.login_user(recorded.image(role)) if rules is not None else "") or OTHER_USER


def gateway_of(state: State) -> Instance | None:
    """Return the gateway that roost made for a name, if its record wants one.

    A record that wants none is not led through a machine that somebody else called so.
    """
    if not read_record(state.record).makes_gateway:
        return None
    return next((i for i in state.instances if i.name == GATEWAY), None)


def way_through(instance: Instance, state: State) -> Instance | None:
    """Return the machine through which another is reached: the gateway, or else the main one,
    where that alone has an address for outside; None where it is reached from here.
    """
    gate = gateway_of(state)
    if gate is not None:
        return gate if instance.role != GATEWAY else None
    main = main_machine(state)
    if main is None or instance.name == main.name:
        return None
    return main if _from_outside(main) and not _from_outside(instance) else None


def _from_outside(instance: Instance) -> bool:
    """Tell whether a machine has an address for others than its own network. A site's floating
    addresses need not be the internet's: at some they are of the campus."""
    if instance.address and instance.private and instance.address != instance.private:
        return True
    try:
        return ipaddress.ip_address(instance.address or "").is_global
    except ValueError:
        return bool(instance.address)  # a name, and names are public
