"""What of the bench is text in and text out; needs no root, so it is tested everywhere."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.bench import names, shares
from tests.bench.layers import folder_of
from tests.bench.metadata import look
from tests.bench.needs import mirror
from tests.bench.network import Allowed, Network, Port, ruleset

ETAB = (
    "/shared\t10.0.0.0/8(rw,sync,wdelay,root_squash,mountpoint=/data)\n"
    "/shared\t192.0.2.7(ro,sync)\n"
    "/public\t*(ro)\n"
)


def test_what_is_exported_is_read_from_etab() -> None:
    first, second, third = shares.read_etab(ETAB)
    assert (first.path, first.client) == ("/shared", "10.0.0.0/8")
    assert first.value("mountpoint") == "/data"
    assert first.value("rw") == "rw"
    assert first.value("ro") is None
    assert second.client == "192.0.2.7"
    assert third.client == "*"


@pytest.mark.parametrize(
    ("asked", "client", "got"),
    [
        ("/shared", "10.210.0.4", "/shared"),
        ("/shared/deep", "10.210.0.4", "/shared/deep"),
        ("/shared", "192.0.2.7", "/shared"),
        ("/shared", "192.0.2.8", None),
        ("/sharedtoo", "10.210.0.4", None),
        ("/public", "203.0.113.1", "/public"),
    ],
)
def test_who_gets_which_folder(asked: str, client: str, got: str | None) -> None:
    exports = list(shares.read_etab(ETAB))
    if got is None:
        with pytest.raises(shares.Refused):
            shares.exported(exports, asked, client)
    else:
        assert shares.exported(exports, asked, client) == got


def test_a_root_of_the_exports_is_where_paths_begin() -> None:
    exports = list(shares.read_etab("/srv/nfs\t*(rw,fsid=0)\n"))
    assert shares.exported(exports, "/", "10.0.0.1") == "/srv/nfs"
    assert shares.exported(exports, "/home", "10.0.0.1") == "/srv/nfs/home"


def query(name: str, kind: int) -> bytes:
    head = names.HEADER.pack(7, 0x0100, 1, 0, 0, 0)
    return head + names.packed(name) + struct.pack(">2H", kind, 1)


def resolver(known: dict[str, str]) -> names.Resolver:
    """Without its servers."""
    made = object.__new__(names.Resolver)
    made.region, made.known = "eu-central-1", known.get
    return made


def nobody(query: bytes) -> bytes:
    del query
    return b"asked"


def test_a_machines_name_is_its_private_address() -> None:
    found = resolver({"10.210.0.4": "10.210.0.4", "10.210.128.1": "10.210.0.4"})
    inside = "ip-10-210-0-4.eu-central-1.compute.internal"
    outside = "ec2-10-210-128-1.eu-central-1.compute.amazonaws.com"
    for name in (inside, inside.upper(), outside):
        said = found.resolve(query(name, names.A), nobody)
        assert said[:2] == b"\0\7"
        assert struct.unpack(">H", said[6:8]) == (1,)
        assert said.endswith(bytes([10, 210, 0, 4]))
    back = found.resolve(query("4.0.210.10.in-addr.arpa", names.PTR), nobody)
    assert back.endswith(names.packed(inside))


def test_other_names_are_asked_for_elsewhere_and_absent_machines_nowhere() -> None:
    found = resolver({})
    assert found.resolve(query("deb.debian.org", names.A), nobody) == b"asked"
    absent = found.resolve(query("ip-10-1-1-1.eu-central-1.compute.internal", names.A), nobody)
    assert absent[3] & 0xF == names.NO_SUCH_NAME
    with pytest.raises(ValueError, match="no question"):
        found.resolve(b"\0" * 12, nobody)


def test_the_rules_let_in_whom_the_firewall_names_and_nobody_else() -> None:
    network = Network(210)
    network.ports = {"10.210.0.4": Port("rb210v1", "10.210.0.4")}
    network.publics = {"10.210.128.1": "10.210.0.4"}
    network.allowed = {
        "10.210.0.4": (
            Allowed(("192.0.2.0/24",), "tcp", (22, 22)),
            Allowed(("10.210.0.5", "10.210.0.6")),
            Allowed(()),
        )
    }
    text = ruleset(network)
    chain = text.partition("chain to_rb210v1 {")[2].partition("}\n")[0]
    lines = [line.strip() for line in text.partition("chain to_rb210v1 {")[2].splitlines()[1:4]]
    assert chain
    assert lines == [
        "ip saddr { 192.0.2.0/24 } tcp dport 22-22 accept",
        "ip saddr { 10.210.0.5, 10.210.0.6 } accept",
        "drop",
    ]
    assert '"rb210v1" : jump to_rb210v1' in text
    assert "10.210.128.1 : 10.210.0.4" in text


def test_metadata_is_folders_with_their_names() -> None:
    tree = {
        "meta-data": {
            "instance-id": "i-1",
            "placement": {"region": "eu-central-1"},
            "public-keys": {"0": {"openssh-key": "ssh-ed25519 AAAA"}},
        },
        "user-data": b"#cloud-config\n",
    }
    assert look(tree, "/latest/meta-data/") == b"instance-id\nplacement/\npublic-keys/"
    assert look(tree, "/2021-03-23/meta-data/instance-id") == b"i-1"
    assert look(tree, "/latest/meta-data/placement/region") == b"eu-central-1"
    assert look(tree, "/latest/meta-data/public-keys/") == b"0=key"
    assert look(tree, "/latest/meta-data/public-keys/0/openssh-key") == b"ssh-ed25519 AAAA"
    assert look(tree, "/latest/user-data") == b"#cloud-config\n"
    assert look(tree, "/latest/meta-data/public-ipv4") is None
    assert look(tree, "/never/meta-data/") is None


@pytest.mark.parametrize(
    "text",
    [
        "Types: deb\n# an older one\nURIs: http://mirror.example/debian\nSuites: bookworm\n",
        "# deb http://no.example/ x\ndeb [trusted=no] http://mirror.example/debian/ bookworm x",
        "deb http://mirror.example/debian bookworm main\n",
    ],
)
def test_the_mirror_is_found_in_apts_sources(text: str) -> None:
    assert mirror(text) == "http://mirror.example/debian"


def test_a_layer_is_known_by_what_it_is_made_of() -> None:
    base, other = Path("/cache/base-1"), Path("/cache/base-2")
    found = folder_of([base], ["b", "a"], recommends=False)
    assert found == folder_of([base], ["a", "b"], recommends=False)
    assert found != folder_of([other], ["a", "b"], recommends=False)
    assert found != folder_of([base], ["a"], recommends=False)
    assert found != folder_of([base], ["a", "b"], recommends=True)
