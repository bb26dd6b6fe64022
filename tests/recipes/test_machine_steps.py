"""What was handed over is done: files, uploads, commands, services; and nothing twice."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roost.machine import apply, extend, follow, setup, steps
from roost.machine.common import Failed, Machine, read, write
from roost.machine.limits import held as held_limits
from roost.recipes.registry import Handover
from roost.recipes.step import Command, File, Step, Upload
from tests.recipes.conftest import tell_facts

ME = pwd.getpwuid(os.getuid())
DESK = Step(
    name="desk",
    title="installing the desk",
    packages=("lamp", "chair"),
    files=(File("/etc/desk.conf", "drawers = 3\n", "0640"),),
    commands=(Command(argv=("carpenter", "--drawers", "3 of them"), env=(("WOOD", "oak"),)),),
    services=("roost-desk.service",),
)


@pytest.fixture
def ran(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs that were run, in order; none of them really is."""
    found: list[list[str]] = []

    def run(argv: list[str], seconds: float = 60, env: Any = None) -> tuple[int, str]:
        del seconds, env
        found.append(argv)
        return (3, "no wood\n") if "broken" in argv else (0, "")

    home = machine.at("/home/me")
    home.mkdir(parents=True)
    me = pwd.struct_passwd(("me", "x", ME.pw_uid, ME.pw_gid, "", "/home/me", "/bin/sh"))
    monkeypatch.setattr(steps, "run", run)
    monkeypatch.setattr(apply, "run", run)
    monkeypatch.setattr(steps, "user", lambda: me)
    tell_facts(machine, name="ndvi", role="head", nodes="head", volumes=[])
    write(machine.at("/var/lib/roost/node.json"), {"node": "head", "index": 0})
    return found


def give(machine: Machine, *given: Step) -> None:
    write(machine.at(steps.HANDOVER), Handover(steps=given).document())


def do(machine: Machine, step: Step) -> None:
    steps.do(machine, json.loads(json.dumps(step.to_json())))


def test_a_step_puts_files_runs_commands_and_starts_services(
    machine: Machine, ran: list[list[str]]
) -> None:
    do(machine, DESK)
    file = machine.at("/etc/desk.conf")
    assert file.read_text() == "drawers = 3\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert ran == [
        ["systemctl", "daemon-reload"],
        ["env", "--chdir=/", "carpenter", "--drawers", "3 of them"],
        ["systemctl", "enable", "--quiet", "roost-desk.service"],
        ["systemctl", "restart", "roost-desk.service"],
    ]


def test_a_service_that_does_not_start_says_why(
    machine: Machine, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"restart": (1, "Job for roost-desk.service failed.\n"), "--no-pager": (0, "no wood\n")}
    monkeypatch.setattr(steps, "run", lambda argv, **_: said.get(argv[1], (0, "")))
    with pytest.raises(Failed, match=r"ended with 1: Job for roost-desk.service failed.\nno wood"):
        do(machine, DESK)


def test_a_step_that_is_done_only_sees_that_its_services_run(
    machine: Machine, ran: list[list[str]]
) -> None:
    do(machine, DESK)
    ran.clear()
    do(machine, DESK)
    assert ran == [
        ["systemctl", "enable", "--quiet", "roost-desk.service"],
        ["systemctl", "start", "roost-desk.service"],
    ]


def test_a_file_that_somebody_changed_is_put_back_and_its_service_knows(
    machine: Machine, ran: list[list[str]]
) -> None:
    do(machine, DESK)
    machine.at("/etc/desk.conf").write_text("drawers = none\n")
    ran.clear()
    do(machine, DESK)
    assert machine.at("/etc/desk.conf").read_text() == "drawers = 3\n"
    assert ran[-1] == ["systemctl", "restart", "roost-desk.service"]
    assert not any("carpenter" in argv for argv in ran)


def test_a_step_that_changed_is_done_again_and_so_is_one_that_changes_back(
    machine: Machine, ran: list[list[str]]
) -> None:
    def carpenters() -> int:
        return sum("carpenter" in argv for argv in ran)

    other = Step(name="desk", title="", commands=(Command(argv=("carpenter", "2")),))
    for count, step in enumerate((DESK, other, DESK), 1):
        do(machine, step)
        assert carpenters() == count
    do(machine, DESK)
    assert carpenters() == 3


def test_a_command_of_the_users_is_run_as_him_at_home(
    machine: Machine, ran: list[list[str]]
) -> None:
    do(machine, Step(name="x", title="", commands=(Command(argv=("id",), user="user"),)))
    assert ran == [
        [
            *("env", "--chdir=/home/me", "setpriv", "--reuid=1000", f"--regid={ME.pw_gid}"),
            *("--init-groups", "--", "id"),
        ]
    ]


def test_a_command_that_fails_is_told_with_its_last_lines_and_is_run_again(
    machine: Machine, ran: list[list[str]]
) -> None:
    step = Step(name="x", title="", commands=(Command(argv=("broken",)),))
    for _ in range(2):
        with pytest.raises(Failed, match="broken ended with 3:\nno wood"):
            do(machine, step)
    assert len(ran) == 2


def test_a_file_below_the_users_home_and_its_new_folders(
    machine: Machine, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    owned: list[str] = []
    monkeypatch.setattr(os, "chown", lambda path, *_, **__: owned.append(str(path)))
    file = File("~/.config/desk/x.ini", "a", owner="user")
    do(machine, Step(name="x", title="", files=(file,)))
    home = machine.at("/home/me")
    assert (home / ".config/desk/x.ini").read_text() == "a"
    assert owned == [
        str(home / ".config"),
        str(home / ".config/desk"),
        str(home / ".config/desk/x.ini"),
    ]


def test_what_an_image_keeps_and_what_is_one_machines_own(
    machine: Machine, ran: list[list[str]]
) -> None:
    own = Step(name="password", title="", commands=(Command(argv=("make",)),), own=True)
    do(machine, DESK)
    do(machine, own)
    names = [path.name for path in sorted(machine.at(steps.DONE).iterdir())]
    assert names == [
        f"own-password-{own.to_json()['digest']}",
        f"step-desk-{DESK.to_json()['digest']}",
    ]


# --- the whole set-up ----------------------------------------------------------------------------


@pytest.fixture
def small(
    machine: Machine, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], bool]:
    """A set-up without the network."""
    monkeypatch.setattr(setup, "name", lambda *_: "")
    monkeypatch.setattr(setup, "run", steps.run)
    monkeypatch.setattr(steps, "progress", lambda *_: steps.run)
    return lambda: setup.set_up(machine, patience=0, pause=0)


def test_packages_of_all_steps_are_installed_first_and_once(
    machine: Machine, ran: list[list[str]], small: Callable[[], bool]
) -> None:
    give(machine, DESK, Step(name="lamp", title="", packages=("lamp", "bulb")))
    assert small()
    installed = [argv for argv in ran if "install" in argv]
    assert [argv[-3:] for argv in installed] == [["bulb", "chair", "lamp"]]
    assert ran.index(installed[0]) < ran.index(["systemctl", "daemon-reload"])
    ran.clear()
    assert small()
    assert not any("install" in argv for argv in ran)


def test_how_far_it_is_has_titles_and_says_of_which_hand_over_it_is(
    machine: Machine, ran: list[list[str]], small: Callable[[], bool]
) -> None:
    give(machine, DESK)
    assert small()
    log = machine.at("/dev/console").read_text().splitlines()
    assert log == [
        "roost: 1/4 name: working",
        "roost: 2/4 installing 2 packages: working",
        "roost: 3/4 volumes: working",
        "roost: 4/4 installing the desk: working",
        "roost: 4/4 ready: done",
    ]
    assert read(machine.status)["handover"] == Handover(steps=(DESK,)).digest


def test_a_hand_over_that_comes_meanwhile_is_not_taken_for_done(
    machine: Machine, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The set-up of the base is at work while the hand-over arrives."""
    before = setup.stamp(machine)
    monkeypatch.setattr(setup, "name", lambda *_: give(machine, DESK) or "")
    assert setup.set_up(machine, patience=0, pause=0)
    assert read(machine.status)["handover"] == before == ""
    assert setup.stamp(machine) == Handover(steps=(DESK,)).digest


# --- receiving -----------------------------------------------------------------------------------


def incoming(machine: Machine, handover: Handover, uploads: dict[str, bytes]) -> Path:
    place = machine.at("/var/lib/roost/incoming.1")
    write(place / "lib/roost/machine/common.py", "# newer\n")
    (place / "secrets").mkdir(parents=True, exist_ok=True)
    (place / "secrets/licence").write_bytes(b"hush\r\n\xff")
    write(place / "handover.json", handover.document())
    for name, content in handover.secret_generators.items():
        write(place / "secret_generators" / name, content)
    for name, data in uploads.items():
        (place / "uploads").mkdir(exist_ok=True)
        (place / "uploads" / name).write_bytes(data)
    return place


def test_what_is_received_is_in_its_place_and_secrets_are_roots_alone(
    machine: Machine, ran: list[list[str]]
) -> None:
    data = b"an archive"
    key = hashlib.sha256(data).hexdigest()
    handover = Handover(steps=(DESK,))
    place = incoming(machine, handover, {key: data})
    assert apply.receive(machine, place, []) == {}
    secret = machine.at("/etc/roost/secrets/licence")
    assert secret.read_bytes() == b"hush\r\n\xff"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.parent.stat().st_mode & 0o777 == 0o700
    assert machine.at(f"{apply.UPLOADS}/{key}").read_bytes() == data
    assert machine.at("/usr/lib/roost/roost/machine/common.py").read_text() == "# newer\n"
    assert steps.handed_over(machine)["digest"] == handover.digest
    assert machine.at(steps.HANDOVER).stat().st_mode & 0o777 == 0o600


def test_limits_that_the_file_changed_hold_when_it_is_received_and_an_extension_stays(
    machine: Machine, ran: list[list[str]]
) -> None:
    given = {"idle": 1800, "end": "2027-01-01T00:00:00+00:00", "run": None, "budget": {"usd": 5.0}}
    tell_facts(machine, **given)
    wall = 1798758000.0  # 2026-12-31 23:00 UTC
    extend.extend(machine, 2 * 3600, wall)

    def stops(limits: dict[str, Any]) -> tuple[Any, Any, Any]:
        apply.receive(machine, incoming(machine, Handover(steps=(DESK,), limits=limits), {}), [])
        held = held_limits(machine, wall)
        return held["idle_s"], held["end"], held["budget_usd"]

    assert stops(given) == (1800, "2027-01-01T02:00:00+00:00", 5.0)
    assert stops({**given, "idle": 600, "budget": {"usd": 2.0}}) == (
        600,
        "2027-01-01T02:00:00+00:00",
        2.0,
    )
    assert stops({**given, "end": "2027-01-03T00:00:00+00:00"})[1] == "2027-01-03T00:00:00+00:00"


def test_an_upload_that_arrived_as_something_else_is_refused(
    machine: Machine, ran: list[list[str]]
) -> None:
    place = incoming(machine, Handover(steps=(DESK,)), {"0" * 64: b"cut"})
    with pytest.raises(OSError, match="arrived as"):
        apply.receive(machine, place, [])
    assert not machine.at(steps.HANDOVER).exists()
    assert not machine.at(f"{apply.UPLOADS}/{'0' * 64}").exists()


def test_the_head_makes_what_all_share_and_tells_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = '#!/bin/sh\ntest -e "$ROOST_SECRETS/key" || echo made > "$ROOST_SECRETS/key"\n'
    handover = Handover(steps=(), secret_generators={"keys": generator}, shared=("key",))
    assert apply.receive(machine, incoming(machine, handover, {}), ["key"]) == {"key": "made\n"}
    machine.at("/etc/roost/secrets/key").write_text("of before\n")
    assert apply.receive(machine, incoming(machine, handover, {}), ["key"]) == {
        "key": "of before\n"
    }


def test_a_set_up_that_is_done_is_not_begun_again_and_one_that_failed_is(
    machine: Machine, ran: list[list[str]]
) -> None:
    restart = ["systemctl", "restart", "--no-block", apply.UNIT]
    boot = setup.this_boot(machine)
    for state, digest, again in (
        ("done", "new", False),
        ("done", "old", True),
        ("failed", "new", True),
    ):
        ran.clear()
        write(machine.status, {"state": state, "handover": digest, "boot": boot})
        apply.kick(machine, "new")
        assert (restart in ran) is again
        assert (read(machine.status)["state"] == "working") is again


def test_what_was_done_before_a_reboot_says_nothing_of_its_services(
    machine: Machine, ran: list[list[str]]
) -> None:
    write(machine.status, {"state": "done", "handover": "new", "boot": "another"})
    apply.kick(machine, "new")
    assert ["systemctl", "restart", "--no-block", apply.UNIT] in ran


def test_following_ends_with_the_end_of_this_hand_over(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = setup.this_boot(machine)
    said = [
        {"state": "done", "handover": "old", "boot": boot, "name": "ready"},
        {"state": "working", "handover": "new", "boot": boot, "name": "desk"},
        {"state": "failed", "handover": "new", "boot": boot, "name": "desk"},
    ]
    write(machine.status, said[0])
    machine.log("no wood")
    left = iter(said[1:])
    monkeypatch.setattr(follow.time, "sleep", lambda _: write(machine.status, next(left)))
    found = list(follow.follow(machine, "new"))
    assert [(one["state"], one["over"]) for one in found] == [
        ("done", False),
        ("working", False),
        ("failed", True),
    ]
    assert found[-1]["log"][0].endswith("no wood")
    assert [one["limits"] for one in found[:2]] == [None, None]
    assert found[-1]["limits"]["stops_in_s"] is None


def test_a_set_up_that_does_not_begin_is_begun(
    machine: Machine, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(machine.status, {"state": "done", "handover": "old", "boot": "", "name": "ready"})
    found = follow.follow(machine, "new", stalled=1)
    assert next(found)["over"] is False
    monkeypatch.setattr(follow.time, "sleep", lambda _: None)
    assert next(found)["name"] == "beginning"
    assert ["systemctl", "restart", "--no-block", apply.UNIT] in ran


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user")
def test_an_upload_is_unpacked_below_its_place(machine: Machine, tmp_path: Path) -> None:
    content = tmp_path / "content"
    (content / "sub").mkdir(parents=True)
    (content / "sub" / "a.txt").write_text("a")
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(content / "sub", "sub")
    key = hashlib.sha256(archive.read_bytes()).hexdigest()
    write(machine.at(f"{steps.UPLOADS}/.keep"), "")
    archive.rename(machine.at(f"{steps.UPLOADS}/{key}"))
    upload = Upload(key="project", sha256=key, to="/opt/project", unpack=True, owner="root")
    step = Step(name="project", title="", uploads=(upload,))
    do(machine, step)
    assert machine.at("/opt/project/sub/a.txt").read_text() == "a"
    missing = Upload(key="project", sha256="0" * 64, to="/opt/y", owner="root")
    with pytest.raises(Failed, match="project was not brought here"):
        do(machine, Step(name="y", title="", uploads=(missing,)))
