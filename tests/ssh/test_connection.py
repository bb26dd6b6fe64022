"""Which machine, whether it can be reached, where its files are, and which page it has."""

import json
import socket as sockets
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from roost.errors import NotFoundError, RoostError
from roost.model.resources import Rule
from roost.providers.fake.cloud import FakeCloud
from roost.providers.local.cloud import LocalCloud
from roost.recipes.local import boot
from roost.ssh import diagnose
from roost.ssh.browser import address_of
from roost.ssh.connection import connection
from roost.ssh.diagnose import explain, shut_out
from roost.ssh.pages import Login, Page, login_of, page_of, public_address
from roost.ssh.paths import places, socket
from tests.ssh.made_state import cluster, desktop, instance

RENTED = FakeCloud()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "roost"))
    return tmp_path / "roost"


def silent(*_: str) -> tuple[str, ...]:
    return ()


@pytest.mark.parametrize(
    ("state", "address", "what", "command"),
    [
        ("stopped", None, "it is stopped", "roost start ndvi"),
        ("stopping", "203.0.113.1", "it is stopping", "roost start ndvi"),
        ("pending", None, "it is pending", "roost up ndvi"),
        ("running", None, "running, without an address yet", "roost up ndvi"),
    ],
)
def test_a_machine_that_is_not_up(state: str, address: str | None, what: str, command: str) -> None:
    have = cluster(instance("head", 1, state=state, address=address))
    with pytest.raises(RoostError, match=f"head of ndvi cannot be reached.*{what}") as caught:
        connection(have, None, silent)
    assert caught.value.next == command


def test_a_node_that_does_not_exist() -> None:
    many = cluster(instance("head", 1), *(instance(f"worker-{n}", n) for n in range(2, 14)))
    with pytest.raises(NotFoundError, match=r"no instance x\. There are: head, .* and 5 more$"):
        connection(many, "x", silent)
    with pytest.raises(RoostError, match="no machine now"):
        connection(replace(many, instances=()), None, silent)


def test_the_files_are_the_users_alone_and_have_every_machine(home: Path) -> None:
    found = connection(cluster(), "worker-1", silent)
    assert found.config == home / "ssh" / "names" / "ndvi" / "config"
    assert found.alias == "roost-ndvi-worker-1"
    assert stat.S_IMODE(found.config.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.config.parent.stat().st_mode) == 0o700
    text = found.config.read_text()
    assert "\nHost roost-ndvi roost-ndvi-head\n  HostName 203.0.113.1\n  Port 22\n" in text
    assert "\nHost roost-ndvi-worker-1\n  HostName 203.0.113.2\n" in text
    assert "  User admin\n  HostKeyAlias roost-ndvi-i-00000002\n" in text


def test_the_console_is_asked_about_the_machines_on_the_way_only() -> None:
    head = instance("head", 1, address="8.8.8.8")
    workers = [instance(f"worker-{n}", n, address=f"10.0.0.{n}") for n in range(2, 30)]
    asked: list[tuple[str, str]] = []

    def console(*who: str) -> tuple[str, ...]:
        asked.append((who[0], who[1]))
        return (f"ssh-ed25519 {who[1]}",)

    found = connection(cluster(head, *workers), "worker-7", console)
    assert asked == [("ndvi", "worker-7"), ("ndvi", "head")]
    assert found.host.jump == "roost-ndvi-head"
    assert places("ndvi").pinned("i-00000007").read_text() == (
        "roost-ndvi-i-00000007 ssh-ed25519 worker-7\n"
    )
    connection(cluster(head, *workers), "worker-7", console)
    assert len(asked) == 2


def test_a_socket_is_short_wherever_home_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert socket("a") == socket("a") != socket("b")
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / ("long" * 30)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("deep" * 20)))
    found = socket("a")
    assert len(str(found)) < 60
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700


def test_a_folder_for_sockets_that_others_may_enter_is_refused(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    monkeypatch.setenv("ROOST_HOME", str(short / "open"))
    place = socket("a").parent
    assert place == short / "open" / "ssh" / "run"
    place.chmod(0o755)
    with pytest.raises(RoostError, match="not yours alone"):
        socket("a")


ME, OTHER = Rule(port=22, source="caller"), Rule(port=22, source="203.0.113.99/32")


def test_whether_the_firewall_knows_this_address() -> None:
    assert shut_out(cluster(rules=(OTHER,)))
    assert not shut_out(cluster(rules=(OTHER, ME)))
    assert not shut_out(cluster(rules=()))
    assert not shut_out(cluster(rules=(OTHER,), access={"ssh": ["203.0.113.0/24"]}))
    assert not shut_out(replace(cluster(rules=(OTHER,)), record=None))


def test_what_is_typed_next_when_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def silence(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(sockets, "create_connection", silence)
    other = cluster(rules=(OTHER,))
    error = explain(connection(other, None, silent), other)
    assert error is not None
    assert error.what == (
        "head of ndvi (203.0.113.1) cannot be reached: "
        "the firewall allows another address than yours"
    )
    assert error.next == "roost up ndvi   (opens it for your address)"
    mine = cluster(rules=(ME,))
    error = explain(connection(mine, None, silent), mine)
    assert error is not None
    assert "no answer in time; a firewall may block SSH from your network" in error.what
    assert diagnose.PATIENCE == 5


def test_the_page_of_each_kind() -> None:
    passwords = "/etc/roost/secrets/desktop.json"
    assert page_of(desktop().record) == Page(6080, "", "http", None, passwords, True)
    assert page_of(desktop(protocol="dcv").record) == (
        Page(8443, "#roost", "https", None, passwords, True)
    )
    token = "/var/lib/roost/cluster/local/ndvi/token"
    assert page_of(cluster().record) == Page(8888, "lab", "http", token)
    assert Page(8888, "lab", "http", token).at("127.0.0.1:20888", "a b") == (
        "http://127.0.0.1:20888/?token=a%20b"
    )
    secret = "/var/lib/roost/cluster/local/ndvi/dashboard"
    alone = cluster(jupyter={"enabled": False})
    assert page_of(alone.record) == Page(8787, "status", "http", secret)
    assert page_of(cluster(jupyter={"enabled": False}, scheduler="slurm").record) is None
    assert page_of(cluster(kind="classroom").record) == page_of(desktop().record)
    assert page_of(None) is None
    assert Page(8443, "#roost").at("127.0.0.1:20443") == "https://127.0.0.1:20443/#roost"


def test_what_a_page_asks_for() -> None:
    found = '{"password": "p", "view_password": "v", "socket": "s"}'
    assert login_of(found) == Login("p")
    assert login_of(found, view=True) == Login("v")
    assert login_of(found).lines() == ["password: p"]
    assert login_of(found).to_json() == {"password": "p"}
    named = '{"user": "ubuntu", "password": "p", "view_user": "viewer", "view_password": "v"}'
    assert login_of(named).lines() == ["user: ubuntu", "password: p"]
    assert login_of(named, view=True).to_json() == {"user": "viewer", "password": "v"}
    for other in ("{}", "[]", "null"):
        with pytest.raises(ValueError, match="no passwords"):
            login_of(other)
    with pytest.raises(json.JSONDecodeError):
        login_of('{"password": "p"')


def test_a_public_address_only_where_the_file_opens_it() -> None:
    shut, open_ = {"ssh": ["me"], "https": []}, {"https": ["me"]}
    assert public_address(desktop(access=shut)) is None
    public = desktop(access=open_)
    assert public_address(public) == "https://203.0.113.1/"
    assert address_of(RENTED, public) == "https://203.0.113.1/"
    assert public_address(desktop(access=open_, protocol="dcv")) == "https://203.0.113.1/#roost"
    six = desktop(instance("desktop", 1, address="2001:db8::1"), access=open_)
    assert public_address(six) == "https://[2001:db8::1]/"
    stopped = desktop(instance("desktop", 1, state="stopped"), access=open_)
    assert address_of(RENTED, stopped) is None
    # JupyterLab is reached through a tunnel only.
    assert public_address(cluster(access=open_)) is None


def test_a_page_on_this_machine_is_not_taken_for_that_of_a_cloud(home: Path) -> None:
    place = home / "local" / "ndvi"
    place.mkdir(parents=True)
    (place / "token").write_text("secret")
    (place / "jupyter.json").write_text('{"url": "http://127.0.0.1:8888/"}')
    assert (
        address_of(LocalCloud(boot), cluster(cloud="local"))
        == "http://127.0.0.1:8888/?token=secret"
    )
    (place / "jupyter.json").unlink()
    (place / "dashboard").write_text("other\n")
    (place / "scheduler.json").write_text('{"address": "tls://a", "services": {"dashboard": 8}}')
    for enabled, there in ((True, None), (False, "http://127.0.0.1:8/?token=other")):
        (place / "spec.json").write_text(f'{{"jupyter": {{"enabled": {str(enabled).lower()}}}}}')
        assert address_of(LocalCloud(boot), cluster(cloud="local")) == there
    assert address_of(RENTED, cluster()) is None
