"""The commands that connect, on a cloud whose machines are an sshd of this computer."""

import os
import socket
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from roost.app import resolve
from roost.errors import AccessError, RoostError
from roost.model.resources import State
from roost.providers.provider import Capabilities, Shell
from roost.ssh import pages, query, tunnel
from roost.ssh.connection import Connection
from roost.ssh.pages import Page
from tests.cli.calling import Ran, Roost, caller
from tests.serving import serving
from tests.ssh.conftest import Server
from tests.ssh.made_state import cluster, desktop, instance
from tests.ssh.test_real_ssh import Page as Handler

HERE = {"address": "127.0.0.1"}


class Cloud:
    """As much of a cloud as these commands use."""

    name = "aws"
    region = "eu-central-1"

    def __init__(self, state: State, host_key: str) -> None:
        self.state = state
        self.keys: tuple[str, ...] | AccessError = (host_key,)
        self.text = "one\ntwo"

    @property
    def can(self) -> Capabilities:
        return Capabilities(rents=True, host_keys=self)

    def observe(self, name: str) -> State:
        assert name == self.state.name
        return self.state

    def host_keys(self, name: str, instance: str) -> tuple[str, ...]:
        assert (name, instance) in {(self.state.name, i.name) for i in self.state.instances}
        if isinstance(self.keys, AccessError):
            raise self.keys
        return self.keys

    def logs(self, name: str, instance: str, lines: int) -> str:
        return f"{name} {instance} {lines}: {self.text}" if self.text else ""


@pytest.fixture
def cloud(here: object, server: Server, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    del here
    state = cluster(instance("head", 1, **HERE), instance("worker-1", 2, **HERE))
    cloud = Cloud(state, server.host_key)
    monkeypatch.setattr("roost.app.resolve.locate", lambda *_: cloud)
    return cloud


@pytest.fixture
def roost(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Roost:
    """main() in this process, with what it and its programs wrote."""
    del cloud

    return caller(monkeypatch, capfd)


class TestSsh:
    def test_a_command_and_its_exit_code(self, roost: Roost) -> None:
        assert roost("ssh", "ndvi", "--", "echo", "a  b") == Ran(0, "a  b\n", "")
        assert roost("ssh", "ndvi", "worker-1", "--", "sh", "-c", "exit 9").code == 9

    def test_one_string_is_a_line_for_the_shell_there(self, roost: Roost) -> None:
        for words in (("a=1; echo $a |cat",), ("head", "a=1; echo $a |cat"), ("--", "echo 1 |cat")):
            assert roost("ssh", "ndvi", *words) == Ran(0, "1\n", ""), words
        assert roost("ssh", "ndvi", "head", "--", "echo", "a; b", "|") == Ran(0, "a; b |\n", "")
        assert "the command is there twice" in roost("ssh", "ndvi", "a b", "--", "c").err

    def test_an_unknown_host_key_is_said_once(self, roost: Roost, cloud: Cloud) -> None:
        cloud.keys = ()
        told = roost("ssh", "ndvi", "--", "true")
        assert told.code == 0
        assert "the console of head does not show its host key yet" in told.err
        assert roost("ssh", "ndvi", "--", "true") == Ran(0, "", "")

    def test_a_console_that_may_not_be_read_is_no_hindrance(
        self, roost: Roost, cloud: Cloud
    ) -> None:
        cloud.keys = AccessError("not allowed: GetConsoleOutput")
        told = roost("ssh", "ndvi", "--", "echo", "there")
        assert (told.code, told.out) == (0, "there\n")
        assert "the host key of head is not known: not allowed: GetConsoleOutput" in told.err

    def test_a_wrong_host_key_is_sshs_own_error(self, roost: Roost, cloud: Cloud) -> None:
        cloud.keys = (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtOReNwl7HPAz5EUR/6mRdACoNszPBcSS9tCUeot7CE",
        )
        told = roost("ssh", "ndvi", "--", "true")
        assert told.code == 255
        assert "Host key verification failed" in told.err
        assert "roost: " not in told.err

    def test_a_port_that_refuses_is_explained(
        self, roost: Roost, here: Callable[[int], None]
    ) -> None:
        here(1)
        told = roost("ssh", "ndvi", "--", "true")
        assert told.code == 1
        assert "head of ndvi (127.0.0.1) is running, but accepts no SSH yet" in told.err
        assert "next: roost logs ndvi head" in told.err

    def test_stopped(self, roost: Roost, cloud: Cloud) -> None:
        cloud.state = cluster(instance("head", 1, state="stopped", address=None))
        told = roost("ssh", "ndvi")
        assert told.code == 1
        assert "it is stopped" in told.err
        assert "next: roost start ndvi" in told.err

    def test_no_such_node(self, roost: Roost) -> None:
        told = roost("ssh", "ndvi", "worker-9")
        assert told.code == 2
        assert "no instance worker-9. There are: head, worker-1" in told.err


class OwnMachine:
    """As much of ``roost.providers.provider.Shell`` as a program needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def surroundings(self, state: State, instance: str) -> tuple[dict[str, str], Path]:
        if instance == "worker-1":
            raise RoostError(f"{instance} of {state.name} is not running", next="roost up ndvi")
        return {**os.environ, "ROOST_NODE": instance, "SHELL": "/bin/false"}, self.folder

    def log_files(self, name: str, instance: str) -> tuple[Path, ...]:
        return (self.folder / f"{name}-{instance}.log",)


class TestOnYourOwnMachine:
    """Nothing is connected to: programs run beside those of the cluster."""

    @pytest.fixture(autouse=True)
    def own(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        can = Capabilities(shell=cast("Shell", OwnMachine(tmp_path)))
        monkeypatch.setattr(Cloud, "can", property(lambda _: can))

    def test_a_command_runs_in_the_folder_and_the_environment(
        self, roost: Roost, tmp_path: Path
    ) -> None:
        told = roost("ssh", "ndvi", "--", "sh", "-c", "echo $ROOST_NODE; pwd; exit 7")
        assert told == Ran(7, f"head\n{tmp_path}\n", "")

    def test_one_string_is_a_line_for_the_users_shell(self, roost: Roost) -> None:
        assert roost("ssh", "ndvi", "echo $ROOST_NODE | tr a-z A-Z; exit 3") == Ran(3, "HEAD\n", "")

    def test_a_shell_is_the_users_own(self, roost: Roost, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHELL", "/bin/false")
        assert roost("ssh", "ndvi").code == 1

    def test_what_does_not_run_says_what_brings_it_up(self, roost: Roost) -> None:
        told = roost("ssh", "ndvi", "worker-1", "--", "true")
        assert told.code == 1
        assert "worker-1 of ndvi is not running" in told.err
        assert "next: roost up ndvi" in told.err

    def test_a_program_that_is_not_there(self, roost: Roost) -> None:
        told = roost("ssh", "ndvi", "--", "no-such-program", "-v")
        assert (told.code, "cannot run no-such-program: No such file" in told.err) == (1, True)

    def test_an_instance_that_is_not_there(self, roost: Roost) -> None:
        told = roost("ssh", "ndvi", "worker-9", "--", "true")
        assert (told.code, "ndvi has no instance worker-9" in told.err) == (2, True)

    def test_there_is_nothing_to_connect_to(self, roost: Roost) -> None:
        told = roost("cp", "ndvi:x", ".")
        assert (told.code, "its files are yours; use cp" in told.err) == (2, True)
        told = roost("ssh-config", "ndvi")
        assert (told.code, "there is nothing to connect to" in told.err) == (2, True)


class TestRun:
    @pytest.fixture(autouse=True)
    def inside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The program of the machine that this computer has not."""
        monkeypatch.setattr("roost.recipes.dask.remote.INSIDE", ("env", "INSIDE=yes"))

    @pytest.fixture
    def spec(self, monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> Callable[..., None]:
        """What the record says."""

        def say(**more: Any) -> None:
            made = {"name": "ndvi", "kind": "cluster", "scheduler": "dask", "run": None, **more}
            found = (SimpleNamespace(**made), cloud.state)
            monkeypatch.setattr(resolve, "recorded", lambda *_: found)

        return say

    def test_the_files_command_and_its_exit_code(
        self, roost: Roost, spec: Callable[..., None]
    ) -> None:
        spec(run=SimpleNamespace(command=("sh", "-c", "echo $INSIDE $0 $1; exit 3", "ndvi")))
        assert roost("run", "ndvi") == Ran(3, "yes ndvi\n", "")
        assert roost("run", "ndvi", "--", "--chunk").out == "yes ndvi --chunk\n"
        assert roost("run", "ndvi", "--", "echo", "a  b").out == "a  b\n"

    def test_what_is_no_dask_cluster(self, roost: Roost, spec: Callable[..., None]) -> None:
        spec(scheduler="slurm")
        told = roost("run", "ndvi", "--", "make", "all")
        assert told.code == 2
        assert "ndvi is no Dask cluster" in told.err
        assert "next: roost ssh ndvi -- make all" in told.err


class TestCp:
    def test_there_and_back(self, roost: Roost, tmp_path: Path) -> None:
        (tmp_path / "a file").write_text("content")
        (tmp_path / "there").mkdir()
        told = roost("cp", tmp_path / "a file", f"ndvi:{tmp_path}/there/")
        assert told.code == 0, told.err
        assert (tmp_path / "there" / "a file").read_text() == "content"
        told = roost("cp", f"ndvi/worker-1:{tmp_path}/there/a file", tmp_path / "back")
        assert told.code == 0, told.err
        assert (tmp_path / "back").read_text() == "content"

    def test_what_is_not_there_fails(self, roost: Roost, tmp_path: Path) -> None:
        told = roost("cp", f"ndvi:{tmp_path}/nothing", tmp_path)
        assert told.code == 1
        assert "nothing" in told.err

    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (("x",), "from where to where"),
            (("x", "y"), "neither of the two sides is on a machine"),
            (("ndvi:x", "ndvi:y"), "both of the two sides"),
            (("ndvi:x", "y", "z"), "must come from one place"),
        ],
    )
    def test_sides_that_make_no_sense(
        self, words: tuple[str, ...], what: str, roost: Roost
    ) -> None:
        told = roost("cp", *words)
        assert told.code == 2
        assert what in told.err


class TestOpen:
    @pytest.fixture(autouse=True)
    def page(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """The head's page is a small web server."""
        del cloud
        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as web:
            page = Page(web.server_port, "lab", "http")
            monkeypatch.setattr("roost.ssh.pages.page_of", lambda _: page)
            yield
            tunnel.close("ndvi")

    @pytest.mark.slow
    def test_a_tunnel_that_outlives_the_command(self, roost: Roost) -> None:
        told = roost("open", "ndvi", "--no-browser")
        assert told.code == 0, told.err
        address = told.out.strip()
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert answer.read() == b"the page"
        assert roost("open", "ndvi", "--json").json == {"name": "ndvi", "address": address}
        assert "the tunnel to ndvi is closed" in roost("open", "ndvi", "--close").err
        assert "no tunnel to ndvi is open" in roost("open", "ndvi", "--close").err

    def test_the_token_comes_from_the_machine(
        self, roost: Roost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = pages.page_of("").port
        secret = tmp_path / "token"
        page = Page(port, "lab", "http", str(secret))
        monkeypatch.setattr("roost.ssh.pages.page_of", lambda _: page)
        told = roost("open", "ndvi", "--no-browser")
        assert told.code == 1
        assert "no token yet on head: " in told.err
        secret.write_text("s3cret\n")
        told = roost("open", "ndvi", "--no-browser")
        assert told.code == 0, told.err
        assert told.out.endswith("/?token=s3cret\n")
        assert "s3cret" not in told.err

    def test_a_machine_that_refuses(self, roost: Roost, here: Callable[[int], None]) -> None:
        here(1)
        told = roost("open", "ndvi", "--no-browser")
        assert told.code == 1
        assert "accepts no SSH yet" in told.err


def test_open_where_nothing_serves_the_page_yet(
    roost: Roost, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    monkeypatch.setattr("roost.ssh.pages.page_of", lambda _: Page(free, "lab", "http"))
    told = roost("open", "ndvi", "--no-browser")
    tunnel.close("ndvi")
    assert told.code == 1
    assert f"nothing on head serves the page yet (port {free} there)" in told.err


def test_open_where_there_is_no_page(roost: Roost, cloud: Cloud) -> None:
    cloud.state = cluster(
        instance("head", 1, **HERE), jupyter={"enabled": False}, scheduler="slurm"
    )
    told = roost("open", "ndvi")
    assert told.code == 2
    assert "ndvi has no page to open" in told.err


class TestOpenDesktop:
    """Its passwords are fetched from the machine and printed, and that is all."""

    @pytest.fixture
    def passwords(
        self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Path]:
        """The file with them; the page is a small web server, and root is whoever runs this."""
        passwords = tmp_path / "desktop.json"
        passwords.write_text('{"password": "mine-1234", "view_password": "theirs-5678"}')
        cloud.state = desktop(instance("desktop", 1, **HERE))
        real = query.asked

        def asked(way: Connection, words: list[str]) -> str:
            assert words[:3] == ["sudo", "-n", "cat"]
            return real(way, words[2:])

        monkeypatch.setattr(query, "asked", asked)
        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as web:
            page = Page(web.server_port, "", "http", passwords=str(passwords))
            monkeypatch.setattr("roost.ssh.pages.page_of", lambda _: page)
            yield passwords
            tunnel.close("ndvi")

    @pytest.mark.slow
    def test_each_seat_has_its_own_page_and_tunnel(
        self, roost: Roost, cloud: Cloud, passwords: Path
    ) -> None:
        seats = [instance(f"seat-{number}", number, **HERE) for number in (1, 2, 3)]
        seats = [replace(one, role="seat") for one in seats]
        cloud.state = desktop(*seats, kind="classroom")
        try:
            first = roost("open", "ndvi", "--json").json
            second = roost("open", "ndvi/seat-2", "--json").json
            third = roost("open", "ndvi/seat-3", "--view", "--json").json
            assert "node" not in first
            assert (second["node"], second["password"]) == ("seat-2", "mine-1234")
            assert third["password"] == "theirs-5678"
            assert len({one["address"] for one in (first, second, third)}) == 3
            assert roost("open", "ndvi/seat-2", "--json").json == second
            told = roost("open", "ndvi/seat-9", "--no-browser")
            assert (told.code, "ndvi has no instance seat-9" in told.err) == (2, True)
            assert "to ndvi/seat-2 is closed" in roost("open", "ndvi/seat-2", "--close").err
            assert tunnel.alive("ndvi", "seat-3")
            assert roost("open", "ndvi", "--json").json == first
            assert "to ndvi is closed" in roost("open", "ndvi", "--close").err
            assert not tunnel.alive("ndvi", "seat-3")
        finally:
            tunnel.close_all("ndvi")

    def test_through_the_tunnel(self, roost: Roost, passwords: Path) -> None:
        told = roost("open", "ndvi", "--no-browser")
        assert told.code == 0, told.err
        address, password = told.out.splitlines()
        assert address.startswith("http://127.0.0.1:")
        assert password == "password: mine-1234"
        assert "1234" not in told.err
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert answer.read() == b"the page"
        found = roost("open", "ndvi", "--json").json
        assert found == {"name": "ndvi", "address": address, "password": "mine-1234"}

    @pytest.mark.slow
    def test_who_only_looks_on_gets_another_password(self, roost: Roost, passwords: Path) -> None:
        told = roost("open", "ndvi", "--no-browser", "--view")
        assert told.out.splitlines()[1:] == ["password: theirs-5678"]
        assert roost("open", "ndvi", "--view", "--json").json["password"] == "theirs-5678"

    @pytest.mark.slow
    def test_before_the_passwords_are_made(self, roost: Roost, passwords: Path) -> None:
        passwords.unlink()
        told = roost("open", "ndvi", "--no-browser")
        assert told.code == 1
        assert "no desktop.json yet on desktop" in told.err
        passwords.write_text("{}")
        assert "no passwords" in roost("open", "ndvi", "--no-browser").err

    def test_the_browser_is_not_told_the_password(
        self, roost: Roost, passwords: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened: list[str] = []
        monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) is None)
        told = roost("open", "ndvi")
        assert opened == [told.out.splitlines()[0]]
        assert "1234" not in opened[0]


def test_open_by_the_public_address(
    roost: Roost, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.state = desktop(access={"https": ["anywhere"]})
    passwords = '{"password": "mine-1234", "view_password": "theirs-5678"}'
    monkeypatch.setattr(cloud, "keys", ())
    monkeypatch.setattr(query, "asked", lambda *_: passwords)
    told = roost("open", "ndvi", "--no-browser")
    assert told.out == "https://203.0.113.1/\npassword: mine-1234\n"

    def away(*_: object) -> str:
        raise RoostError("desktop cannot be reached")

    monkeypatch.setattr(query, "asked", away)
    told = roost("open", "ndvi", "--no-browser")
    assert (told.code, told.out) == (0, "https://203.0.113.1/\n")
    assert "roost cannot read it now: " in told.err


def test_only_a_desktop_is_looked_on(roost: Roost) -> None:
    told = roost("open", "ndvi", "--view")
    assert told.code == 2
    assert "only a desktop has a password for looking on" in told.err


def test_logs(roost: Roost, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert roost("logs", "ndvi", "-n", 7, "--json").json == {
        "head": "ndvi head 7: one\ntwo",
        "worker-1": "ndvi worker-1 7: one\ntwo",
    }
    assert roost("logs", "ndvi", "--json", "--follow").code == 2
    cloud.text = ""
    assert "`roost logs ndvi --follow` asks the machine itself" in roost("logs", "ndvi").err
    (tmp_path / "log").write_text("1\n2\n3\n")
    line = ["tail", "-n", "2", f"{tmp_path}/log"]
    monkeypatch.setattr("roost.ssh.command.follow", lambda _: line)
    assert roost("logs", "ndvi", "worker-1", "--follow").out == "2\n3\n"


class TestSshConfig:
    def test_it_is_printed(self, roost: Roost, server: Server) -> None:
        told = roost("ssh-config", "ndvi")
        assert told.code == 0, told.err
        assert f"Host roost-ndvi roost-ndvi-head\n  HostName 127.0.0.1\n  Port {server.port}\n" in (
            told.out
        )
        assert told.out.count("StrictHostKeyChecking yes") == 1

    def test_the_line_needs_a_yes(
        self, roost: Roost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ROOST_HOME", str(tmp_path / "plain"))
        file = tmp_path / ".ssh" / "config"
        told = roost("ssh-config", "--install", "--no-input")
        assert told.code == 4
        assert "next: roost ssh-config --install --yes" in told.err
        assert not file.exists()
        assert roost("ssh-config", "--install", "--yes").code == 0
        text = file.read_text()
        assert f'Include "{tmp_path}/plain/ssh/names/*/config"\n' in text
        assert "has roost's line already" in roost("ssh-config", "--install").err
        assert file.read_text() == text
        assert roost("ssh-config", "--remove").code == 0
        assert file.read_text() == ""
        assert "has no line of roost's" in roost("ssh-config", "--remove").err

    def test_of_which_name(self, roost: Roost) -> None:
        assert roost("ssh-config").code == 2
        assert roost("ssh-config", "--install", "--remove").code == 2
