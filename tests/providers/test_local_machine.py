"""The inside of a local machine, with real processes that do little."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from roost.errors import BusyError, RoostError, SetupError
from roost.home import Folder, folder
from roost.model.resources import Group, Instance, Shape, Wanted
from roost.plan.down import plan_down
from roost.plan.up import plan_stop, plan_up
from roost.providers.hold import hold
from roost.providers.local import processes
from roost.providers.local.cloud import LocalCloud
from roost.recipes.step import Boot, Command, Service, Step
from roost.reconcile.loop import reconcile

SHAPE = Shape(type="process", cpus=1, memory_gib=1)
FOREVER = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); time.sleep(600)"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code)


def sleeper(record: str, instance: Instance, place: Folder) -> Boot:
    """A machine that writes a line of its environment and sleeps."""
    del record, place
    code = f"import os; print('I am', os.environ['ROOST_MACHINE'], flush=True); {FOREVER}"
    return Boot(services=(Service(name=f"sleep-{instance.role}", argv=python(code)),))


def wanted(workers: int) -> Wanted:
    groups = (
        Group(role="head", count=1, shape=SHAPE),
        Group(role="desktop", count=workers and 1, shape=SHAPE),
    )
    return Wanted(name="demo", record=json.dumps({"kind": "cluster"}), groups=groups)


def up(cloud: LocalCloud, workers: int = 1):
    return reconcile(
        cloud, "demo", lambda have, gone: plan_up(wanted(workers), have, given_up=gone)
    )


def down(cloud: LocalCloud):
    return reconcile(cloud, "demo", lambda have, _: plan_down(have))


def of_home(at: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("ROOST_MACHINE", "").startswith(str(at)):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def cloud(tmp_path):
    cloud = LocalCloud(sleeper, tmp_path)
    yield cloud
    place = folder("demo", tmp_path)
    processes.end(place.machine(i.name) for i in cloud.observe("demo").instances)


def eventually(check, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_up_starts_machines_that_any_other_roost_finds_and_down_leaves_nothing(cloud, tmp_path):
    state = up(cloud)
    assert [(i.name, i.state) for i in state.instances] == [
        ("desktop", "running"),
        ("head", "running"),
    ]
    again = LocalCloud(sleeper, tmp_path)
    assert again.observe("demo") == state
    assert len(of_home(tmp_path)) == 2
    assert [s.name for s in again.summaries()] == ["demo"]
    assert "I am" in again.logs("demo", "head", 5)
    assert down(again).empty
    assert not of_home(tmp_path)
    assert [p.name for p in (tmp_path / "local").iterdir() if p.is_dir()] == []


def test_stop_and_start_keep_the_folder(cloud, tmp_path):
    up(cloud)
    mine = folder("demo", tmp_path).machine("head") / "my-file"
    mine.write_text("kept")
    stopped = reconcile(cloud, "demo", lambda have, _: plan_stop(have))
    assert {i.state for i in stopped.instances} == {"stopped"}
    assert not of_home(tmp_path)
    assert {i.state for i in up(cloud).instances} == {"running"}
    assert mine.read_text() == "kept"


def test_a_second_supervisor_of_one_folder_goes_away(cloud, tmp_path):
    up(cloud)
    before = {p.pid for p in of_home(tmp_path)}
    processes.begin([folder("demo", tmp_path).machine("head")])
    assert {p.pid for p in of_home(tmp_path)} == before


def test_a_killed_service_comes_back_by_itself(cloud, tmp_path):
    up(cloud)
    (first,) = [p for p in of_home(tmp_path) if p.environ()["ROOST_MACHINE"].endswith("head")]
    first.kill()
    eventually(
        lambda: [
            p
            for p in of_home(tmp_path)
            if p.pid != first.pid and p.environ()["ROOST_MACHINE"].endswith("head")
        ]
    )


def test_a_killed_machine_is_seen_and_mended_by_up(cloud, tmp_path):
    up(cloud)
    path = folder("demo", tmp_path).machine("head")
    os.kill(processes.status(path)["pid"], signal.SIGKILL)
    eventually(lambda: not processes.alive(path))
    head = next(i for i in cloud.observe("demo").instances if i.name == "head")
    assert (head.state, head.note) == ("failed", "it died")
    eventually(lambda: len(of_home(tmp_path)) == 1)
    assert {i.state for i in up(cloud).instances} == {"running"}
    assert len(of_home(tmp_path)) == 2


def test_a_service_that_dies_at_its_start_is_named_with_its_log(tmp_path):
    def broken(record: str, instance: Instance, place: Folder) -> Boot:
        code = "print('port 1 is taken', flush=True); raise SystemExit(3)"
        good = sleeper(record, instance, place).services
        ready = str(tmp_path / "never")  # or it is taken for ready before it ends
        return Boot(services=(*good, Service(name="jupyter", argv=python(code), ready_file=ready)))

    cloud = LocalCloud(broken, tmp_path)
    with pytest.raises(SetupError, match=r"jupyter ended 3 times(.|\n)*port 1 is taken"):
        up(cloud, 0)
    assert len(of_home(tmp_path)) == 1, "the other service goes on"
    down(cloud)
    assert not of_home(tmp_path)


def test_set_up_runs_once_for_all_machines_and_its_failure_is_named(tmp_path):
    marks = tmp_path / "marks"
    ready = tmp_path / "environment" / "ready"
    ready.parent.mkdir()

    def boot(code: str):
        def made(record: str, instance: Instance, place: Folder) -> Boot:
            command = Command(argv=python(code))
            step = Step(name="environment", title="", commands=(command,), creates=str(ready))
            return Boot(setup=(step,), services=sleeper(record, instance, place).services)

        return made

    bad = LocalCloud(boot("print('No space left on device'); raise SystemExit(2)"), tmp_path)
    with pytest.raises(SetupError, match=r"environment: (.|\n)*ended with 2(.|\n)*No space left"):
        up(bad)
    assert not ready.exists()
    good = LocalCloud(boot(f"open({str(marks)!r}, 'a').write('once ')"), tmp_path)
    assert {i.state for i in up(good).instances} == {"running"}
    assert marks.read_text() == "once "
    down(good)


def test_a_stopped_cluster_of_an_older_roost_starts_and_goes_down(cloud, tmp_path):
    """Its boot.json had other set-up steps: name, argv, creates, lock and env."""
    up(cloud)
    reconcile(cloud, "demo", lambda have, _: plan_stop(have))
    step = {"name": "environment", "argv": ["uv"], "creates": "/x", "lock": "/x.lock", "env": {}}
    for file in (tmp_path / "local" / "demo" / "machines").glob("*/boot.json"):
        boot = json.loads(file.read_text())
        file.write_text(json.dumps({**boot, "setup": [step]}))
    assert {i.state for i in cloud.observe("demo").instances} == {"stopped"}
    assert {i.state for i in up(cloud).instances} == {"running"}
    down(cloud)
    assert not of_home(tmp_path)


def test_only_one_at_a_time_and_the_second_is_told_who(tmp_path):
    file = tmp_path / "local" / ".demo.lock"
    said = rf"`roost up demo` \(process {os.getpid()}, since"
    with (
        hold(file, "demo", "roost up demo"),
        pytest.raises(BusyError, match=said),
        hold(file, "demo", "roost down demo"),
    ):
        raise AssertionError
    with hold(file, "demo", "roost down demo"):
        pass


def test_what_a_killed_roost_had_begun_ends_before_the_next_one_begins(tmp_path):
    """Its child goes on for a moment, and two of them at work on one name would be one too many."""
    file = tmp_path / "demo.lock"
    done = tmp_path / "done"
    child = f"import time, pathlib; time.sleep(0.7); pathlib.Path({str(done)!r}).touch()"
    killed = (
        "import os, subprocess, sys, pathlib\n"
        "from roost.providers.hold import hold\n"
        f"with hold(pathlib.Path({str(file)!r}), 'demo', 'roost scale demo 1'):\n"
        f"    subprocess.Popen([sys.executable, '-c', {child!r}], close_fds=False)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", killed], check=False)
    assert not done.exists()
    with hold(file, "demo", "roost up demo"):
        assert done.exists()


def test_what_a_killed_roost_was_about_to_stop_is_stopped_first(cloud, tmp_path):
    up(cloud)
    (folder("demo", tmp_path).machine("head") / "stopped").touch()
    assert {i.state for i in cloud.observe("demo").instances} == {"running"}
    with cloud.hold("demo", "roost up"):
        states = {i.name: i.state for i in cloud.observe("demo").instances}
    assert states.pop("head") == "stopped"
    assert set(states.values()) == {"running"}


def test_what_a_killed_roost_left_half_made_or_half_deleted_is_tidied(cloud, tmp_path):
    up(cloud)
    place = folder("demo", tmp_path)
    (place.machines / ".new-abc").mkdir()
    (place.machines / ".gone-worker-1-abc").mkdir()
    (tmp_path / "local" / ".gone-demo-0a1b2c3d").mkdir()
    assert len(cloud.observe("demo").instances) == 2
    with cloud.hold("demo", "roost down demo"):
        down(cloud)
    assert [p.name for p in (tmp_path / "local").iterdir()] == [".demo.lock"]


def test_secrets_are_for_their_owner_only(cloud, tmp_path):
    up(cloud)
    place = folder("demo", tmp_path)
    secret = [place.token, *place.tls.iterdir(), place.control]
    assert {oct(p.stat().st_mode & 0o777) for p in secret} == {"0o600"}
    assert oct(place.path.stat().st_mode & 0o777) == "0o700"
    token = place.token.read_text().strip()
    assert len(token) > 30
    up(cloud)
    assert place.token.read_text().strip() == token
    for process in of_home(tmp_path):
        assert token not in " ".join(process.cmdline())
        assert token not in " ".join(process.environ().values())


def test_a_shell_has_the_project_and_only_where_its_machine_runs(cloud, tmp_path, monkeypatch):
    up(cloud)
    shell, place = cloud.can.shell, folder("demo", tmp_path)
    monkeypatch.setattr(
        "roost.providers.local.cloud.node_environment", lambda *_: {"PYTHONPATH": "/cluster"}
    )
    environment, project = shell.surroundings(cloud.observe("demo"), "head")
    assert str(project) == place.project.read_text().strip()
    assert environment == {"PYTHONPATH": f"/cluster{os.pathsep}{project}"}
    assert [path.stem for path in shell.log_files("demo", "head")] == ["sleep-head"]

    reconcile(cloud, "demo", lambda have, _: plan_stop(have))
    with pytest.raises(RoostError) as caught:
        shell.surroundings(cloud.observe("demo"), "head")
    assert caught.value.what == "head of demo is not running"
    assert caught.value.exists == ("desktop (stopped)", "head (stopped)")
    assert caught.value.next == "roost up demo"
    down(cloud)


def test_the_page_is_what_jupyterlab_wrote_down(cloud, tmp_path):
    assert cloud.can.shell.page("demo") is None
    place = folder("demo", tmp_path)
    place.path.mkdir(parents=True)
    place.token.write_text("secret\n")
    place.jupyter.write_text('{"url": "http://127.0.0.1:8888/"}')
    assert cloud.can.shell.page("demo") == "http://127.0.0.1:8888/?token=secret"
