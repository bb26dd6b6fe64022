"""Through the generated configuration to a real sshd."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from roost.model.resources import Instance, State
from roost.ssh import command, heal, tunnel
from roost.ssh import connection as access
from roost.ssh.config import Host
from roost.ssh.connection import Connection, connection
from roost.ssh.diagnose import explain
from roost.ssh.paths import places
from tests.serving import serving
from tests.ssh.conftest import Server
from tests.ssh.made_state import cluster, desktop, instance

STATE = cluster(
    instance("head", 1, address="127.0.0.1"), instance("worker-1", 2, address="127.0.0.1")
)
STRANGE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtOReNwl7HPAz5EUR/6mRdACoNszPBcSS9tCUeot7CE"


@pytest.fixture
def way(here: object, server: Server) -> Connection:
    """A connection whose host key the console has told."""
    return connection(STATE, None, lambda *_: (server.host_key,))


def run(line: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_a_command_its_words_its_input_and_its_exit_code(way: Connection) -> None:
    there = partial(command.shell, way.config, way.alias)
    done = run(there(["printf", "%s|", "a  b", "$HOME", "it's", "*", ""]))
    assert (done.returncode, done.stdout, done.stderr) == (0, "a  b|$HOME|it's|*||", "")
    assert run(there(["cat"]), "some text").stdout == "some text"
    assert run(there(["sh", "-c", "exit 7"])).returncode == 7
    assert run(there(["printenv", "ROOST_TEST_SERVER"])).stdout == "first\n"


@pytest.mark.parametrize(("tty", "code"), [(True, 0), (False, 1)])
def test_at_a_terminal_the_command_has_one_too(way: Connection, tty: bool, code: int) -> None:
    if tty and os.getuid() != 0:
        pytest.skip("an sshd that is not root's gives no terminal")
    ours, theirs = os.openpty()
    line = command.shell(way.config, way.alias, ["test", "-t", "0"], tty=tty)
    done = subprocess.run(line, stdin=theirs, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code


def test_one_connection_serves_the_next_commands(way: Connection) -> None:
    assert run(command.shell(way.config, way.alias, ["true"])).returncode == 0
    assert stat.S_ISSOCK(way.host.control.stat().st_mode)
    assert stat.S_IMODE(way.host.control.parent.stat().st_mode) == 0o700
    checked = run(["ssh", "-F", str(way.config), "-O", "check", "roost-ndvi"])
    assert checked.returncode == 0
    assert "Master running" in checked.stderr


def test_a_login_after_a_renewal_is_a_new_one_and_the_ones_before_go_on(way: Connection) -> None:
    line = command.batch(way.config, way.alias, ["printenv", "SSH_CONNECTION"])
    first = run(line).stdout
    assert run(line).stdout == first != ""
    waiting = subprocess.Popen(
        command.batch(way.config, way.alias, ["cat"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert waiting.stdin is not None
    tunnel.renew([way.host.control])
    assert run(line).stdout not in ("", first)
    assert waiting.communicate(b"still here")[0] == b"still here"


def test_a_host_key_other_than_the_pinned_one_is_refused(here: object, server: Server) -> None:
    del here, server
    found = connection(STATE, None, lambda *_: (STRANGE,))
    done = run(command.shell(found.config, found.alias, ["true"]))
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr
    # No later command takes the key that was shown instead.
    again = connection(STATE, None, lambda *_: ())
    assert run(command.shell(again.config, again.alias, ["true"])).returncode == 255
    pinned = places("ndvi").pinned("i-00000001")
    assert pinned.read_text() == f"roost-ndvi-i-00000001 {STRANGE}\n"
    assert stat.S_IMODE(pinned.stat().st_mode) == 0o600


def test_where_the_console_is_silent_the_first_key_is_kept(
    here: Callable[[int], None], server: Server, serve: Callable[..., Server]
) -> None:
    found = connection(STATE, "worker-1", lambda *_: ())
    assert found.unproven == ("worker-1",)
    assert run(command.shell(found.config, found.alias, ["true"])).returncode == 0
    accepted = places("ndvi").accepted("i-00000002")
    assert accepted.read_text() == f"roost-ndvi-i-00000002 {server.host_key}\n"
    assert connection(STATE, "worker-1", lambda *_: ()).unproven == ()
    # Somebody else at the same place is not let through.
    here(serve("other").port)
    found = connection(STATE, "worker-1", lambda *_: ())
    run(["ssh", "-F", str(found.config), "-O", "exit", found.alias])
    assert run(command.shell(found.config, found.alias, ["true"])).returncode == 255
    # What the console tells later counts more than what was accepted.
    found = connection(STATE, "worker-1", lambda *_: (STRANGE,))
    assert (found.host.known, found.unproven) == (True, ())


def test_an_address_that_changed_is_followed(
    way: Connection,
    here: Callable[[int], None],
    serve: Callable[..., Server],
    short: Path,
) -> None:
    """The same machine (its host key) at another port; nobody is asked anything."""
    assert run(command.shell(way.config, way.alias, ["true"])).returncode == 0
    run(["ssh", "-F", str(way.config), "-O", "exit", way.alias])
    here(serve("moved", short / "first" / "host").port)

    def silent(*_: str) -> tuple[str, ...]:
        raise AssertionError("asked again for what is pinned")

    moved = connection(STATE, None, silent)
    assert moved.host.port != way.host.port
    done = run(command.shell(moved.config, moved.alias, ["printenv", "ROOST_TEST_SERVER"]))
    assert done.stdout == "moved\n"


def test_through_the_head_to_a_machine_without_a_public_address(
    here: Callable[[int], None],
    server: Server,
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = serve("inner")
    keys = {"head": server.host_key, "worker-1": inner.host_key}
    main = STATE.instances[0]
    monkeypatch.setattr(access, "way_through", lambda one, _: main if one != main else None)
    local = access._host

    def placed(state: State, one: Instance, *more: object) -> Host:
        here(inner.port if one.name == "worker-1" else server.port)
        return local(state, one, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(access, "_host", placed)
    found = connection(STATE, "worker-1", lambda _, one: (keys[one],))
    done = run(command.shell(found.config, found.alias, ["printenv", "ROOST_TEST_SERVER"]))
    assert (done.stdout, done.stderr) == ("inner\n", "")
    log = run(["ssh", "-v", "-F", str(found.config), "-S", "none", found.alias, "true"]).stderr
    assert "Executing proxy command: exec ssh -F" in log


def test_another_instance_or_address_gets_another_socket(way: Connection) -> None:
    assert connection(STATE, "worker-1", lambda *_: ()).host.control != way.host.control


ODD = ("it's", "$HOME;x", "-dash", "a:b", "two  words")
NAMES = ("plain", "two words", "it's", 'a "b"', "$HOME;x", "-dash", "a:b", "ümläut", "new\nline")


def test_copies_there_and_back_with_odd_names(way: Connection, tmp_path: Path) -> None:
    source, there, back = (tmp_path / name for name in ("source", "the re", "back"))
    for place in (source / "deep er", there, back):
        place.mkdir(parents=True)
    for name in NAMES:
        (source / "deep er" / name).write_text(name)
        os.utime(source / "deep er" / name, (1_000_000_000, 1_000_000_000))
    copy = partial(command.copy, way.config, way.alias)
    done = run(copy([command.Side(str(source))], command.Side(str(there), "ndvi")))
    assert (done.returncode, done.stderr) == (0, "")
    done = run(copy([command.Side(f"{there}/source", "ndvi")], command.Side(str(back))))
    assert (done.returncode, done.stderr) == (0, "")
    found = {p.name: p.read_text() for p in (back / "source" / "deep er").iterdir()}
    assert found == {name: name for name in NAMES}
    assert {p.stat().st_mtime for p in (back / "source" / "deep er").iterdir()} == {1_000_000_000}


@pytest.mark.parametrize("name", ODD)
def test_a_copy_of_one_file_by_its_odd_name(
    way: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(name)
    (tmp_path / "there").mkdir()
    copy = partial(command.copy, way.config, way.alias)
    target = command.Side(f"{tmp_path}/there/", "ndvi")
    assert run(copy([command.Side(name)], target)).returncode == 0
    assert (tmp_path / "there" / name).read_text() == name
    assert (
        run(copy([command.Side(f"{target.path}{name}", "ndvi")], command.Side("back"))).returncode
        == 0
    )
    assert (tmp_path / "back").read_text() == name


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the page")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[int]:
    """A small web server; its port."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as web:
        yield web.server_port


@pytest.fixture
def ended(place: Path) -> Iterator[None]:
    """No tunnel stays open (``place``: it is looked for below the test's own home)."""
    del place
    yield
    tunnel.close("ndvi")


GONE = "refused|reset"
"""No page: nothing listens, or what did is just ending, which `ssh -O exit` does not wait for."""


def read(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        content: bytes = answer.read()
    return content


@pytest.mark.usefixtures("ended")
def test_a_tunnel_is_opened_once_found_again_and_ended(way: Connection, page: int) -> None:
    port = tunnel.opened(way, page)
    assert read(port) == b"the page"
    assert tunnel.opened(way, page) == port
    found = tunnel.alive("ndvi")
    assert found is not None
    assert found == tunnel.Tunnel(
        instance="i-00000001", address="127.0.0.1", remote=page, local=port, mark=found.mark
    )
    assert tunnel.close("ndvi")
    assert not tunnel.close("ndvi")
    assert tunnel.alive("ndvi") is None
    with pytest.raises(OSError, match=GONE):
        read(port)


def test_sockets_below_a_home_with_an_odd_name(
    here: object, server: Server, page: int, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its path is short enough here, so that the sockets are in it."""
    del here
    home = short / "a %h b"
    (home / "ssh").mkdir(parents=True)
    for file in ("id_ed25519", "id_ed25519.pub"):
        shutil.copy2(Path(os.environ["ROOST_HOME"]) / "ssh" / file, home / "ssh")
    monkeypatch.setenv("ROOST_HOME", str(home))
    way = connection(STATE, None, lambda *_: (server.host_key,))
    assert way.host.control.parent == home / "ssh" / "run"
    assert run(command.shell(way.config, way.alias, ["true"])).returncode == 0
    assert way.host.control.exists()
    port = tunnel.opened(way, page)
    assert tunnel.opened(way, page) == port
    assert read(port) == b"the page"
    tunnel.forget("ndvi")
    with pytest.raises(OSError, match=GONE):
        read(port)


@pytest.mark.usefixtures("ended")
def test_a_tunnel_to_a_machine_that_was_replaced_is_not_used_again(
    way: Connection, page: int, server: Server
) -> None:
    tunnel.opened(way, page)
    other = cluster(instance("head", 9, address="127.0.0.1"))
    newer = connection(other, None, lambda *_: (server.host_key,))
    port = tunnel.opened(newer, page)
    found = tunnel.alive("ndvi")
    assert found is not None
    assert (found.instance, found.local) == ("i-00000009", port)
    assert read(port) == b"the page"


@pytest.mark.usefixtures("ended")
def test_a_tunnel_that_nobody_uses_ends_by_itself(way: Connection, page: int) -> None:
    """Or a machine with one would never be idle; a browser that is connected keeps it."""
    port = tunnel.opened(way, page, persist="3s")
    with socket.create_connection(("127.0.0.1", port)) as browser:
        time.sleep(3.5)
        assert tunnel.alive("ndvi") is not None
        browser.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert browser.makefile("rb").read().endswith(b"the page")
    deadline = time.monotonic() + 30
    control = tunnel._socket("ndvi", "")
    while control.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert tunnel.alive("ndvi") is None


def healers() -> set[int]:
    """The processes that keep a tunnel of this test's home."""
    found: set[int] = set()
    home = os.environ["ROOST_HOME"]
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if heal.__file__ in one.cmdline():
                found |= {one.pid} if one.environ()["ROOST_HOME"] == home else set()
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("ended")
def test_a_tunnel_whose_ssh_has_ended_is_opened_anew_by_who_asks_at_its_port(
    way: Connection, page: int
) -> None:
    """As when a machine restarts: the page in the browser goes on asking, and comes back."""
    port = tunnel.opened(way, page)
    (healer,) = healers()
    check = command.control(tunnel._socket("ndvi", ""), "check")
    for _ in range(2):
        said = subprocess.run(check, capture_output=True, text=True, check=True).stderr
        ssh = int(said.partition("pid=")[2].partition(")")[0])
        os.kill(ssh, signal.SIGKILL)
        wait_until(lambda ssh=ssh: not psutil.pid_exists(ssh))
        wait_until(lambda: came_back(port))
        assert tunnel.opened(way, page) == port
    tunnel.close("ndvi")
    assert not came_back(port)
    assert tunnel.opened(way, page) == port  # the old one's knock does not cost it
    wait_until(lambda: healer not in healers())
    tunnel.close("ndvi")
    wait_until(lambda: healers() == set())


def came_back(port: int) -> bool:
    with suppress(OSError):
        return read(port) == b"the page"
    return False


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.usefixtures("ended")
def test_a_local_port_that_is_taken_is_left_alone(way: Connection, page: int) -> None:
    first = tunnel.opened(way, page)
    tunnel.close("ndvi")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first))
        taken.listen()
        second = tunnel.opened(way, page)
        assert second != first
        assert read(second) == b"the page"


def test_a_tunnel_in_the_foreground_ends_with_it(way: Connection, page: int) -> None:
    with tunnel.in_foreground(way, page) as (port, process):
        assert read(port) == b"the page"
        assert process.poll() is None
    assert process.returncode is not None
    with pytest.raises(OSError, match=GONE):
        read(port)


@pytest.mark.usefixtures("ended")
def test_a_deleted_name_is_forgotten(way: Connection, page: int) -> None:
    port = tunnel.opened(way, page)
    tunnel.forget("ndvi")
    assert not places("ndvi").path.exists()
    with pytest.raises(OSError, match=GONE):
        read(port)
    tunnel.forget("ndvi")


def test_nothing_to_explain_where_the_port_answers(way: Connection) -> None:
    assert explain(way, STATE) is None


def test_a_port_that_refuses_is_explained(way: Connection, here: Callable[[int], None]) -> None:
    from tests.ssh.conftest import _free_port

    here(_free_port())
    found = connection(STATE, None, lambda *_: ())
    error = explain(found, STATE)
    assert error is not None
    assert "accepts no SSH yet" in error.what
    assert error.next == "roost logs ndvi head"


def test_a_desktops_config_has_one_machine(here: object, server: Server) -> None:
    del here
    state = desktop(instance("desktop", 1, address="127.0.0.1"))
    found = connection(state, None, lambda *_: (server.host_key,))
    assert run(["ssh", "-F", str(found.config), "roost-ndvi", "true"]).returncode == 0
    assert found.config.read_text().count("\nHost ") == 1
