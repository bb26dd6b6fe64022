"""The gateway: what it is told, and how long it stays."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

from roost.app.provisioning import Provisioner
from roost.provision.machines import Machines
from roost.recipes.base import Context
from roost.recipes.gateway import BEHIND
from roost.recipes.people import SEAT
from roost.recipes.registry import handover_of
from roost.recipes.rented import limits_of, rates_of
from roost.recipes.user_data import facts_of
from roost.spec import load
from tests.ssh.made_state import cluster, instance

COURSE = """
name = "course"
kind = "classroom"
seats = 4
[aws]
region = "eu-central-1"
[machine]
type = "m5.large"
[[volumes]]
name = "data"
size = "50GB"
[schedule]
idle = "2h"
end = 2099-07-01T18:00:00Z
[budget]
usd = 100
[access]
ssh = ["me"]
keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Vwm8bGdQ2lZzWDXGcnm0dAbk3MkRYdXYd9mFqXcfe alice"]
reach = "jump"
"""


def test_it_gets_keys_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    file.write_text(COURSE)
    spec = load(file)
    handover = handover_of(spec, "gateway", Context(behind=("10.0.0.4", "10.0.0.5")))
    assert [step.name for step in handover.steps] == ["people", "gateway"]
    written = {one.path: one.content for step in handover.steps for one in step.files}
    assert "alice" in written["~/.ssh/authorized_keys2"]
    assert written[BEHIND] == "10.0.0.4\n10.0.0.5\n"
    assert not any(step.packages or step.uploads or step.commands for step in handover.steps)
    facts = facts_of(spec, "gateway", "gateway", ("/dev/sdf",), rates=rates_of(spec, {}))
    assert (facts.volumes, facts.budget) == ((), None)
    # It stops after the others, however late that is.
    assert limits_of(spec, "gateway", {}) == {"idle": 900, "end": None, "budget": None}


def test_who_has_a_seat_goes_on_to_that_and_has_no_shell_on_the_way(tmp_path: Path) -> None:
    """The login user of a gateway is root there."""
    key = COURSE.split('keys = ["')[1].split('"', maxsplit=1)[0]
    people = tmp_path / "people.csv"
    people.write_text(f"seat,ssh_key\n2,{key}\n")
    file = tmp_path / "course.toml"
    file.write_text(COURSE.replace("seats = 4", 'seats = 4\npeople = "people.csv"'))
    seats = tuple(
        instance(f"seat-{n}", n, private=f"10.0.0.{n}", address="203.0.113.9") for n in (1, 2)
    )
    gate = instance("gateway", 9, private="10.0.0.9")
    machines = Machines(cluster(*seats, gate), lambda *_: (), lambda _: None)
    provisioner = Provisioner(machines, load(file), True, tmp_path, frozenset({people}), print)
    part = provisioner.part(gate, "", {}, {"munge.key": b"secret"})
    written = {one.path: one.content for step in part.handover.steps for one in step.files}
    only = 'restrict,port-forwarding,permitopen="10.0.0.2:22",command="/bin/false" '
    key = key.replace("alice", "seat-2")
    assert written[SEAT].splitlines()[1:] == [only + key]
    assert part.secrets == {}
    seat = provisioner.part(seats[1], "", {}, {})
    (line,) = (f.content for s in seat.handover.steps for f in s.files if f.path == SEAT)
    assert line.splitlines()[1:] == [key]


def test_the_seats_share_its_price(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    file.write_text(COURSE)
    with_it, spec = rates_of(load(file), {}), load(file)
    without = rates_of(
        spec.model_copy(update={"access": spec.access.model_copy(update={"reach": "public"})}), {}
    )
    assert with_it is not None
    assert without is not None
    # t3a.small: 0.0216 and its 0.08 at full load, a disk of 10 GB and an address, in four parts.
    gateway = 0.0216 + 0.08 + 10 * 0.0952 / 730 + 0.005
    assert abs(with_it.running - without.running - gateway / 4) < 1e-6
    assert replace(with_it, running=0, stopped=0) == replace(without, running=0, stopped=0)


def test_it_is_needed_while_a_machine_behind_it_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = files("roost.machine").joinpath("programs", "gateway-busy")
    busy = ModuleType("busy")
    exec(program.read_text(), busy.__dict__)
    monkeypatch.setattr(busy, "SECONDS", 0.1)

    def ask(port: int, *addresses: str) -> tuple[int, str]:
        (tmp_path / "behind").write_text("".join(f"{one}\n" for one in addresses))
        return busy.main(str(tmp_path / "behind"), str(port)), capsys.readouterr().out

    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = server.getsockname()[1]
        assert ask(port, "127.0.0.2") == (0, "127.0.0.2 is on\n")  # it refuses
        assert ask(port, "127.0.0.1") == (0, "127.0.0.1 is on\n")
        assert ask(port) == (1, "")
        for _ in range(3):  # as a machine that is off: nothing answers any more
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        assert ask(port, "127.0.0.1") == (1, "")
