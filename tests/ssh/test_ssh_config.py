"""The generated configuration: its exact text, and what OpenSSH itself reads in it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from roost.errors import UsageError
from roost.ssh.config import Host, alias, config, main_machine, quoted, user_of, way_through
from tests.ssh.made_state import cluster, desktop, instance

HEAD = Host(
    aliases=("roost-ndvi", "roost-ndvi-head"),
    address="203.0.113.5",
    user="ubuntu",
    key_alias="roost-ndvi-i-0a1",
    hosts_file=Path("/home/me/Library/My Data/roost/ssh/names/ndvi/pinned/i-0a1"),
    control=Path("/tmp/roost-1000/0123456789abcdef"),
    known=True,
)
WORKER = Host(
    aliases=("roost-ndvi-worker-1",),
    address="10.0.0.7",
    user="admin",
    key_alias="roost-ndvi-i-0a2",
    hosts_file=Path("/h/100%/accepted/i-0a2"),
    control=Path("/tmp/roost-1000/fedcba9876543210"),
    jump="roost-ndvi",
)
FILE = Path("/home/me/my 100% data/config")
TEXT = """\
# ndvi: cluster; written anew by roost, so changes here are lost

Host roost-ndvi roost-ndvi-head
  HostName 203.0.113.5
  Port 22
  User ubuntu
  HostKeyAlias roost-ndvi-i-0a1
  UserKnownHostsFile "/home/me/Library/My Data/roost/ssh/names/ndvi/pinned/i-0a1"
  StrictHostKeyChecking yes
  CheckHostIP no
  HashKnownHosts no
  UpdateHostKeys no
  ServerAliveInterval 15
  ServerAliveCountMax 4
  ConnectTimeout 20
  ControlMaster auto
  ControlPersist 2m
  ControlPath "/tmp/roost-1000/0123456789abcdef"
  IdentityFile "/home/me/my keys/id_ed25519"
  IdentitiesOnly yes

Host roost-ndvi-worker-1
  HostName 10.0.0.7
  Port 22
  User admin
  HostKeyAlias roost-ndvi-i-0a2
  UserKnownHostsFile "/h/100%%/accepted/i-0a2"
  StrictHostKeyChecking accept-new
  CheckHostIP no
  HashKnownHosts no
  UpdateHostKeys no
  ServerAliveInterval 15
  ServerAliveCountMax 4
  ConnectTimeout 20
  ControlMaster auto
  ControlPersist 2m
  ControlPath "/tmp/roost-1000/fedcba9876543210"
  IdentityFile "/home/me/my keys/id_ed25519"
  IdentitiesOnly yes
  ProxyCommand ssh -F '/home/me/my 100%% data/config' -W '[%h]:%p' -- roost-ndvi
"""


def as_openssh_reads(file: Path, host: str) -> dict[str, str]:
    done = subprocess.run(
        ["ssh", "-T", "-G", "-F", file, host], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_the_exact_text() -> None:
    keys = [Path("/home/me/my keys/id_ed25519")]
    assert config("ndvi: cluster", [HEAD, WORKER], keys, FILE) == TEXT


@pytest.mark.usefixtures("openssh")
def test_openssh_reads_it_as_it_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "a config"
    file.write_text(TEXT)
    head = as_openssh_reads(file, "roost-ndvi")
    assert head == {**as_openssh_reads(file, "roost-ndvi-head"), "host": head["host"]}
    assert head["hostname"] == "203.0.113.5"
    assert head["user"] == "ubuntu"
    assert head["hostkeyalias"] == "roost-ndvi-i-0a1"
    assert head["userknownhostsfile"].endswith("/Library/My Data/roost/ssh/names/ndvi/pinned/i-0a1")
    assert head["stricthostkeychecking"] == "true"
    assert head["identityfile"] == "/home/me/my keys/id_ed25519"
    assert head["identitiesonly"] == "yes"
    assert head["controlmaster"] == "auto"
    assert head["controlpersist"] == "120"
    assert head["updatehostkeys"] == "false"
    assert "proxycommand" not in head
    worker = as_openssh_reads(file, "roost-ndvi-worker-1")
    assert worker["stricthostkeychecking"] == "accept-new"
    assert worker["proxycommand"].endswith("my 100%% data/config' -W '[%h]:%p' -- roost-ndvi")
    assert worker["userknownhostsfile"] == "/h/100%/accepted/i-0a2"


@pytest.mark.usefixtures("openssh")
def test_other_hosts_are_left_alone(tmp_path: Path) -> None:
    file, nothing = tmp_path / "config", tmp_path / "empty"
    file.write_text(TEXT)
    nothing.write_text("")
    assert as_openssh_reads(file, "elsewhere") == as_openssh_reads(nothing, "elsewhere")


def test_without_a_key_of_roosts_openssh_chooses() -> None:
    assert "Identit" not in config("ndvi", [HEAD], [], FILE)


@pytest.mark.parametrize("path", ['/a"b', "/a\\b", "/a\nb", "/${HOME}/b"])
def test_a_path_that_openssh_cannot_be_told(path: str) -> None:
    with pytest.raises(UsageError, match="OpenSSH cannot read a path"):
        quoted(Path(path))


def test_names() -> None:
    assert alias("ndvi") == "roost-ndvi"
    assert alias("ndvi", "worker-12") == "roost-ndvi-worker-12"


def test_who_one_is() -> None:
    record = cluster().record
    assert (user_of(record, "head"), user_of(record, "worker")) == ("ubuntu", "admin")
    assert user_of(desktop().record, "desktop") == "admin"
    assert user_of(desktop(machine={"image": "ami-0123456789"}).record, "desktop") == "ubuntu"
    assert user_of(None, "head") == "ubuntu"
    assert user_of("[]", "head") == "ubuntu"


def test_the_machine_that_a_name_means() -> None:
    def main(*names: str) -> str | None:
        found = main_machine(cluster(*(instance(name, n) for n, name in enumerate(names))))
        return found.name if found else None

    assert main("worker-1", "head") == "head"
    assert main("seat-10", "seat-2", "seat-9") == "seat-2"
    assert main("desktop") == "desktop"
    assert main("worker-1") is None


def test_only_what_has_no_public_address_is_reached_through_the_head() -> None:
    head, worker = instance("head", 1, address="8.8.4.4"), instance("worker-1", 2)
    private = replace(worker, address="172.31.4.5")
    assert way_through(private, cluster(head, private)) == head
    public = replace(worker, address="8.8.8.8")
    assert way_through(public, cluster(head, public)) is None
    assert way_through(private, cluster(replace(head, address="172.31.4.4"), private)) is None
    assert way_through(private, cluster(private)) is None
    assert way_through(head, cluster(head, private)) is None
    # A site's floating addresses may be of its own campus, and those of a network be reached here.
    floating = replace(head, address="10.20.0.7", private="10.1.0.4")
    inside = replace(worker, address="10.1.0.5", private="10.1.0.5")
    assert way_through(inside, cluster(floating, inside)) == floating
    both = replace(inside, address="10.20.0.8")
    assert way_through(both, cluster(floating, both)) is None
    direct = replace(floating, address="10.1.0.4")
    assert way_through(inside, cluster(direct, inside)) is None


def test_only_a_name_that_wants_a_gateway_is_led_through_it() -> None:
    seat, gate = instance("seat-1", 1, address="8.8.4.4"), instance("gateway", 2)
    wanted = {"access": {"reach": "jump", "ssh": ["me"]}}
    assert way_through(seat, cluster(seat, gate, **wanted)) == gate
    assert way_through(gate, cluster(seat, gate, **wanted)) is None
    assert main_machine(cluster(gate, seat, **wanted)) == seat
    # Somebody gave a machine of theirs roost's tags, or the record an odd gateway.
    assert way_through(seat, cluster(seat, gate)) is None
    odd = {"access": {"reach": "jump", "jump": "a b", "ssh": ["10.0.0.0/16"]}}
    assert way_through(seat, cluster(seat, gate, **odd)) is None
