"""One bench's network: a VPC of its own, routed by this computer, with a firewall in front of
every machine.

Every machine is in a network namespace, at the end of a cable (veth) of its own. Nothing is
bridged: what one machine sends to another goes through this computer's routes and nft rules, as it
goes through EC2's. Public addresses are translated (NAT), and reached from here too.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import TypeVar

from tests.bench.places import CommandFailed, run

T = TypeVar("T")
NUMBERS = range(210, 250)
"""10.NUMBER.0.0/16 is one bench's."""
CLONE_NEWNET = 0x40000000
METADATA = "169.254.169.254"


@dataclass(frozen=True, slots=True)
class Port:
    """A machine's place in the network. ``namespace`` is a path that can be entered."""

    name: str
    private: str

    @property
    def namespace(self) -> Path:
        """The file of its network namespace."""
        return Path("/run/netns", self.name)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a firewall lets in: who, and which ports (all, where there is no protocol)."""

    sources: tuple[str, ...]
    protocol: str | None = None
    ports: tuple[int, int] | None = None


@dataclass(slots=True)
class Network:
    """The network of one bench, with its number."""

    number: int
    ports: dict[str, Port] = field(default_factory=dict)
    publics: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, tuple[Allowed, ...]] = field(default_factory=dict)
    _count: int = 0
    _given: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def vpc(self) -> IPv4Network:
        """The private addresses."""
        return IPv4Network(f"10.{self.number}.0.0/17")

    @property
    def gateway(self) -> str:
        """This computer, as machines see it; what "me" is in a file."""
        return f"10.{self.number}.0.1"

    @property
    def resolver(self) -> str:
        """Who knows the machines' names."""
        return f"10.{self.number}.0.2"

    @property
    def link(self) -> str:
        """The name of the interface that holds this computer's addresses."""
        return f"rb{self.number}"

    def take(self) -> bool:
        """Whether the number is ours now: of two benches that begin at once only one has it."""
        taken = f"10.{self.number}." in run("ip", "route", "show", "table", "all")
        try:
            return not taken and not run("ip", "link", "add", self.link, "type", "bridge")
        except CommandFailed:
            return False

    def open(self) -> None:
        """Make it; its number is taken."""
        run("ip", "link", "set", self.link, "up")
        for subnet in self.vpc.subnets(new_prefix=20):
            run("ip", "addr", "add", f"{subnet[1]}/32", "dev", self.link)
        run("ip", "addr", "add", f"{self.resolver}/32", "dev", self.link)
        run("ip", "route", "add", "unreachable", str(self.vpc))
        public = f"10.{self.number}.128.0/17"
        run("ip", "route", "add", public, "dev", self.link, "src", self.gateway)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.apply()

    def close(self) -> None:
        """Take all of it away, also what a dead bench has left of this number."""
        for name in (*cables(self.link), self.link):
            run("ip", "link", "del", name, check=False)
        run("ip", "route", "del", "unreachable", str(self.vpc), check=False)
        run("nft", "delete", "table", "inet", self.table, check=False)

    @property
    def table(self) -> str:
        """The name of its nft table."""
        return f"roost_bench_{self.number}"

    def known(self, address: str) -> str | None:
        """The private address of the machine that has this one, private or public."""
        private = self.publics.get(address, address)
        return private if private in self.ports else None

    def public_address(self) -> str:
        """A public address that nobody had before."""
        with self._lock:
            self._given += 1
            return str(IPv4Network(f"10.{self.number}.128.0/17")[self._given])

    # --- machines ---------------------------------------------------------------------------

    def plug(self, private: str) -> Port:
        """A namespace with that address, in which nothing can be reached yet."""
        with self._lock:
            self._count += 1
            port = Port(f"{self.link}v{self._count}", private)
            self.ports[private] = port
        subnet = next(s for s in self.vpc.subnets(new_prefix=20) if _in(private, s))
        inside = ("ip", "-n", port.name)
        run("ip", "netns", "add", port.name)
        run("ip", "link", "add", port.name, "type", "veth", "peer", "eth0", "netns", port.name)
        run("ip", "link", "set", port.name, "up")
        run("ip", "route", "add", f"{private}/32", "dev", port.name, "src", self.gateway)
        # Neighbours are asked for by ARP, and this computer answers for them.
        Path(f"/proc/sys/net/ipv4/conf/{port.name}/proxy_arp").write_text("1")
        Path(f"/proc/sys/net/ipv4/neigh/{port.name}/proxy_delay").write_text("0")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "addr", "add", f"{METADATA}/32", "dev", "lo")
        run(*inside, "addr", "add", f"{private}/20", "broadcast", "+", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "route", "add", "default", "via", str(subnet[1]), "dev", "eth0")
        return port

    def unplug(self, port: Port) -> None:
        """The namespace goes, with its cable."""
        with self._lock:
            self.ports.pop(port.private, None)
            self.allowed.pop(port.private, None)
            self.publics = {p: own for p, own in self.publics.items() if own != port.private}
            self.apply()
        run("ip", "link", "del", port.name, check=False)
        with suppress(CommandFailed):
            run("ip", "netns", "del", port.name)

    # --- rules ------------------------------------------------------------------------------

    def allow(self, allowed: Mapping[str, Iterable[Allowed]]) -> None:
        """Who may enter each machine, by its private address."""
        with self._lock:
            self.allowed = {private: tuple(rules) for private, rules in allowed.items()}
            self.apply()

    def publish(self, publics: Mapping[str, str]) -> None:
        """Which private address is behind each public one."""
        with self._lock:
            self.publics = dict(publics)
            self.apply()

    def apply(self) -> None:
        """All rules anew, in one go; connections that are open go on."""
        with self._lock:
            text = ruleset(self)
            run("nft", "-f", "-", text=text)


def cables(link: str) -> list[str]:
    """This computer's ends of the cables of a bench, by the name of its interface."""
    lines = run("ip", "-o", "link", "show").splitlines()
    names = [line.split(":")[1].strip().split("@")[0] for line in lines]
    return [name for name in names if name.startswith(f"{link}v")]


def ruleset(network: Network) -> str:
    """The nft table as text. Pure."""
    table, vpc = network.table, network.vpc
    whole = f"10.{network.number}.0.0/16"
    to_private = "".join(f"{p} : {own}, " for p, own in network.publics.items())
    to_public = "".join(f"{own} : {p}, " for p, own in network.publics.items())
    ports = sorted(network.ports.values(), key=lambda port: port.name)
    goto = "".join(f'"{port.name}" : jump to_{port.name}, ' for port in ports)
    chains = "\n".join(_chain(port.name, network.allowed.get(port.private, ())) for port in ports)
    jump = f"oifname vmap {{ {goto} }}" if goto else ""
    return f"""\
table inet {table} {{}}
delete table inet {table}
table inet {table} {{
  map private_of {{ type ipv4_addr : ipv4_addr; {_elements(to_private)} }}
  map public_of {{ type ipv4_addr : ipv4_addr; {_elements(to_public)} }}
{chains}
  chain delivering {{
    type filter hook postrouting priority 0; policy accept;
    ct state established,related accept
    {jump}
  }}
  chain arriving {{
    type nat hook prerouting priority dstnat;
    iifname "{network.link}v*" dnat ip to ip daddr map @private_of
  }}
  chain from_here {{
    type nat hook output priority -100;
    dnat ip to ip daddr map @private_of
  }}
  chain leaving {{
    type nat hook postrouting priority srcnat;
    ip saddr {vpc} ip daddr {vpc} ct status dnat snat ip to ip saddr map @public_of
    ip saddr {vpc} ip daddr != {whole} masquerade
  }}
}}
"""


def _elements(found: str) -> str:
    return f"elements = {{ {found} }};" if found else ""


def _chain(name: str, rules: Iterable[Allowed]) -> str:
    lines = [line for rule in rules for line in _lines(rule)]
    return f"  chain to_{name} {{\n" + "".join(f"    {one}\n" for one in (*lines, "drop")) + "  }"


def _lines(rule: Allowed) -> list[str]:
    if not rule.sources:
        return []
    who = f"ip saddr {{ {', '.join(rule.sources)} }}"
    if rule.protocol is None:
        return [f"{who} accept"]
    if rule.ports is None:
        return [f"{who} meta l4proto {rule.protocol} accept"]
    return [f"{who} {rule.protocol} dport {rule.ports[0]}-{rule.ports[1]} accept"]


def _in(address: str, network: IPv4Network) -> bool:
    return ip_address(address) in network


def free_network() -> Network:
    """The first network whose number nobody has, made. Raises RuntimeError where all are taken."""
    for number in NUMBERS:
        network = Network(number)
        if network.take():
            try:
                network.open()
            except BaseException:
                network.close()
                raise
            return network
    raise RuntimeError("no network is free for another bench: all of 10.210 to 10.249 are in use")


def within(namespace: Path, do: Callable[[], T]) -> T:
    """Do something in a network namespace; sockets that are made there stay there."""
    found: list[T] = []
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            opened = os.open(namespace, os.O_RDONLY)
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(opened, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
            os.close(opened)
            found.append(do())
        except BaseException as error:
            wrong.append(error)

    # The namespace is the thread's, which ends here.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if wrong:
        raise wrong[0]
    return found[0]
