"""Machines without a public address: through a real gateway, and the words for Session Manager."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from roost.errors import RoostError
from roost.model.record import read_record
from roost.model.resources import Instance, State
from roost.provision.machines import Machines
from roost.ssh import command
from roost.ssh import connection as access
from roost.ssh.config import Host
from roost.ssh.connection import connection
from roost.ssh.diagnose import explain
from roost.ssh.keys import public_key
from tests.ssh.conftest import Server
from tests.ssh.made_state import cluster, instance

GATEWAY = {"reach": "jump", "jump": "lab-gateway", "ssh": ["10.0.0.0/16"]}


def private(**access: object) -> State:
    return cluster(
        instance("head", 1, address="127.0.0.1", private="127.0.0.1"),
        instance("worker-1", 2, address="127.0.0.1", private="127.0.0.1"),
        instance("worker-2", 3, address="127.0.0.1", private="127.0.0.1"),
        access=access,
        aws={"region": "eu-central-1", "profile": "my 100% lab"},
    )


@pytest.fixture
def own_ssh(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]
) -> Server:
    """A gateway that the user's own ssh settings name, which are in this HOME."""
    gateway = serve("gateway")
    settings = tmp_path / ".ssh"
    settings.mkdir()
    (settings / "known_hosts").write_text(f"[127.0.0.1]:{gateway.port} {gateway.host_key}\n")
    public_key()  # roost's own, which the servers let in
    (key,) = (path for path in place.rglob("id_*") if path.suffix != ".pub")
    shutil.copy(key, settings / "mine")
    (settings / "config").write_text(
        f"Host lab-gateway\n  HostName 127.0.0.1\n  Port {gateway.port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {settings}/mine\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {settings}/known_hosts\n"
    )
    # OpenSSH finds these by the account, not by HOME; the account's own must not be read here.
    real, tools = shutil.which("ssh"), tmp_path / "tools"
    tools.mkdir()
    (tools / "ssh").write_text(
        f'#!/bin/sh\ncase " $* " in *" -F "*) exec {real} "$@" ;; esac\n'
        f'echo "$*" >>"{tmp_path}/log"\nexec {real} -F "{settings}/config" "$@"\n'
    )
    (tools / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return gateway


@pytest.mark.usefixtures("here")
def test_through_a_gateway_of_ones_own(own_ssh: Server, server: Server, tmp_path: Path) -> None:
    state = private(**GATEWAY)
    for node in ("head", "worker-1"):
        way = connection(state, node, lambda *_: (server.host_key,))
        line = command.batch(way.config, way.alias, ["printenv", "ROOST_TEST_SERVER"])
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, "first\n"), done.stderr
    asked = (tmp_path / "log").read_text()
    assert asked.count(f"-W [127.0.0.1]:{server.port} -- lab-gateway") == 2
    # A gateway that is not there, and no question meanwhile.
    own_ssh.process.terminate()
    own_ssh.process.wait()
    away = connection(private(**{**GATEWAY, "jump": "other-gateway"}), "worker-2", lambda *_: ())
    line = command.batch(away.config, away.alias, ["true"])
    assert subprocess.run(line, capture_output=True, timeout=60, check=False).returncode == 255
    error = explain(away, private(**{**GATEWAY, "jump": "bob@other-gateway:2222"}))
    assert error is not None
    assert "cannot be reached through bob@other-gateway:2222" in error.what
    assert error.next is not None
    assert error.next.startswith("ssh -p 2222 bob@other-gateway true   (")


def test_by_session_manager(place: Path) -> None:
    del place
    way = connection(private(reach="ssm", ssh=[]), "worker-1", lambda *_: ())
    read = subprocess.run(
        ["ssh", "-F", way.config, "-G", way.alias], capture_output=True, text=True, check=True
    )
    (told,) = (
        one.partition(" ")[2] for one in read.stdout.splitlines() if one.startswith("proxycommand ")
    )
    assert told == (
        "aws ssm start-session --target i-00000002 --region eu-central-1 --document-name"
        " AWS-StartSSHSession --parameters portNumber=%p --profile 'my 100%% lab'"
    )
    error = explain(way, private(reach="ssm", ssh=[]))
    assert error is not None
    assert error.next is not None
    assert error.next.startswith("aws ssm start-session --target i-00000002   (it needs")


def test_a_record_names_no_other_command() -> None:
    for odd in ("-oProxyCommand=sh", "a@b; sh", "a b", "$(sh)", "x" * 300, 5, None):
        state = private(reach="jump", jump=odd, ssh=["10.0.0.0/16"])
        assert read_record(state.record).jump == ""
    text = json.dumps({"access": {"reach": "teleport"}})
    assert read_record(text).reach == "public"
    assert read_record(replace(private(**GATEWAY)).record).jump == "lab-gateway"


# --- through a gateway that roost made -----------------------------------------------------------

PLACES = {"gateway": "made-gateway", "head": "behind"}
MADE = {"reach": "jump", "ssh": ["me"]}


def _host_key(place: Path) -> str:
    return " ".join((place / "host.pub").read_text().split()[:2])


@pytest.fixture
def behind_gateway(
    here: Callable[[int], None],
    serve: Callable[..., Server],
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> State:
    """A head at an address that only the gateway reaches: the name of its computer for itself."""
    del server
    ports = {"gateway": serve("made-gateway").port, "head": serve("behind").port}
    local = access._host

    def placed(state: State, one: Instance, *more: object) -> Host:
        here(ports[one.name])
        return local(state, one, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(access, "_host", placed)
    return cluster(
        instance("head", 1, address="203.0.113.9", private="127.0.0.1"),
        instance("gateway", 2, address="127.0.0.1", private="10.0.0.5"),
        access=MADE,
    )


def test_through_a_gateway_that_roost_made(behind_gateway: State, short: Path) -> None:
    keys = {name: _host_key(short / place) for name, place in PLACES.items()}
    state = behind_gateway
    way = connection(state, None, lambda _, node: (keys[node],))
    assert (way.unproven, way.host.address, way.host.known) == ((), "127.0.0.1", True)
    line = command.batch(way.config, way.alias, ["printenv", "ROOST_TEST_SERVER"])
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "behind\n"), done.stderr
    # As set-up asks, before it believes any host key.
    machines = Machines(state, lambda _, node: (keys[node],), lambda _: None)
    assert machines._answers(state.instances[0])
    head, gate = state.instances
    machines.state = replace(state, instances=(replace(head, private="127.0.0.9"), gate))
    assert not machines._answers(machines.state.instances[0])


def test_another_gateway_than_the_consoles_is_not_used(behind_gateway: State, short: Path) -> None:
    keys = {name: _host_key(short / place) for name, place in PLACES.items()}
    way = connection(behind_gateway, None, lambda *_: (keys["head"],))
    for alias, said in ((way.alias, "onnection closed"), ("roost-ndvi-gateway", "ication failed")):
        line = command.batch(way.config, alias, ["true"])
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, said in done.stderr) == (255, True), done.stderr


def test_without_its_gateway_nothing_is_tried(place: Path) -> None:
    del place
    head = instance("head", 1, private="10.0.0.4")
    for gate, why, then in (
        ((), "its gateway is not there", "roost up ndvi"),
        ((instance("gateway", 2, state="stopped"),), "its gateway is stopped", "roost start ndvi"),
    ):
        state = cluster(head, *gate, access=MADE)
        with pytest.raises(RoostError, match=f"ndvi cannot be reached: {why}") as caught:
            connection(state, None, lambda *_: ())
        assert caught.value.next == then
    # A head through which alone workers are reached is no other way.
    head = replace(head, address="10.20.0.7", state="stopped")
    worker = instance("worker-1", 3, address="10.0.0.5", private="10.0.0.5")
    with pytest.raises(RoostError, match="ndvi cannot be reached: its head is stopped"):
        connection(cluster(head, worker), "worker-1", lambda *_: ())
