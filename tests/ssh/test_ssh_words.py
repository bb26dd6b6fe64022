"""The words of what is run."""

from pathlib import Path

import pytest

from roost.ssh.command import Side, control, copy, follow, shell, side, speaks_sftp, tunnel

FILE = Path("/a b/config")


def test_a_shell_and_a_command() -> None:
    assert shell(FILE, "roost-n") == ["ssh", "-F", "/a b/config", "--", "roost-n"]
    assert shell(FILE, "roost-n", tty=True) == ["ssh", "-F", "/a b/config", "--", "roost-n"]
    line = ("echo", "a b", "$HOME", "it's", "")
    assert shell(FILE, "roost-n", line) == [
        *("ssh", "-F", "/a b/config", "--", "roost-n"),
        "echo 'a b' '$HOME' 'it'\"'\"'s' ''",
    ]
    assert shell(FILE, "roost-n", ("top",), tty=True)[3:5] == ["-t", "--"]
    assert shell(FILE, "roost-n", ("echo 'a'; ls | head",))[-1] == "echo 'a'; ls | head"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ndvi:results", Side("results", "ndvi")),
        ("ndvi:", Side("", "ndvi")),
        ("ndvi/worker-1:/tmp/a:b", Side("/tmp/a:b", "ndvi", "worker-1")),
        ("./ndvi:results", Side("./ndvi:results")),
        ("/data/x:y", Side("/data/x:y")),
        ("results", Side("results")),
        ("Data:x", Side("Data:x")),
        ("a/b/c:d", Side("a/b/c:d")),
    ],
)
def test_the_sides_of_a_copy(text: str, found: Side) -> None:
    assert side(text) == found


def test_a_copy() -> None:
    there, here = Side("", "n"), Side("-odd: name")
    words = copy(FILE, "roost-n", [here, Side("/b")], there)
    assert words == [
        *("scp", "-s", "-F", "/a b/config", "-r", "-p", "--"),
        *("./-odd: name", "/b", "roost-n:."),
    ]
    old = copy(FILE, "roost-n", [Side("it's", "n")], Side("."), sftp=False)
    assert old[-2:] == ["roost-n:'it'\"'\"'s'", "./."]
    assert "-s" not in old


@pytest.mark.parametrize(
    ("version", "speaks"),
    [
        ("OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19", True),
        ("OpenSSH_8.7p1", True),
        ("OpenSSH_8.6p1", False),
        ("OpenSSH_10.0p2", True),
        ("OpenSSH_for_Windows_8.1p1", False),
        ("something else", True),
    ],
)
def test_which_scp_speaks_sftp(version: str, speaks: bool) -> None:
    assert speaks_sftp(version) is speaks


def test_a_tunnel() -> None:
    assert tunnel(FILE, "roost-n", Path("/s"), 20443, 443, persist="30m") == [
        *("ssh", "-F", "/a b/config", "-M", "-S", "/s", "-f", "-o", "ControlPersist=30m"),
        *("-o", "ExitOnForwardFailure=yes", "-N", "-L", "127.0.0.1:20443:localhost:443"),
        *("--", "roost-n"),
    ]
    assert "-f" not in tunnel(FILE, "roost-n", Path("/s"), 20443, 443, persist=None)
    assert control(Path("/s"), "exit")[3:7] == ["-S", "/s", "-O", "exit"]


def test_following_logs() -> None:
    assert follow(7) == [
        *("sudo", "-n", "tail", "-n", "7", "-q", "-F"),
        *("/var/log/cloud-init-output.log", "/var/log/roost.log"),
    ]
