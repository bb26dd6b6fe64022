"""The one line in the user's own SSH configuration."""

import stat
import subprocess
from pathlib import Path

import pytest

from roost.errors import UsageError
from roost.ssh import include

OWN = "# mine\nHost old\n  HostName 192.0.2.1\n\nHost *\n  Compression yes\n"


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's ~/.ssh/config, which is not there yet."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "my data" / "roost"))
    return tmp_path / ".ssh" / "config"


def test_the_exact_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_HOME", "/home/me/my data/roost")
    assert include.line() == 'Include "/home/me/my data/roost/ssh/names/*/config"'
    assert include.with_line("Host a\n", "Include x") == (
        "# roost: machines as roost-NAME (roost ssh-config --remove takes this out)\n"
        "Include x\n\nHost a\n"
    )


def test_a_file_of_the_users_keeps_its_content_and_mode(own: Path) -> None:
    own.parent.mkdir()
    own.write_text(OWN)
    own.chmod(0o644)
    include.install()
    text = own.read_text()
    assert text.endswith(f'/config"\n\n{OWN}')
    assert text.count("Include") == 1
    assert stat.S_IMODE(own.stat().st_mode) == 0o644
    include.install()
    assert own.read_text() == text
    include.remove()
    assert own.read_text() == OWN
    assert stat.S_IMODE(own.stat().st_mode) == 0o644
    include.remove()
    assert own.read_text() == OWN
    assert [p.name for p in own.parent.iterdir()] == ["config"]


def test_a_file_that_was_not_there_is_the_users_alone(own: Path) -> None:
    assert not include.installed()
    include.install()
    assert include.installed()
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert stat.S_IMODE(own.parent.stat().st_mode) == 0o700


def test_a_link_stays_a_link_and_strange_bytes_stay(own: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles"
    real.write_bytes(b"# caf\xe9\r\nHost a\r\n")
    own.parent.mkdir()
    own.symlink_to(real)
    include.install()
    assert own.is_symlink()
    assert real.read_bytes().endswith(b"# caf\xe9\r\nHost a\r\n")
    include.remove()
    assert real.read_bytes() == b"# caf\xe9\r\nHost a\r\n"


@pytest.mark.usefixtures("openssh")
def test_openssh_finds_the_machines_of_all_names_and_the_users_hosts(
    own: Path, tmp_path: Path
) -> None:
    own.parent.mkdir()
    own.write_text(OWN)
    include.install()
    names = tmp_path / "my data" / "roost" / "ssh" / "names"
    for name, address in (("a", "192.0.2.7"), ("b", "192.0.2.8")):
        (names / name).mkdir(parents=True)
        (names / name / "config").write_text(f"Host roost-{name}\n  HostName {address}\n")

    def reads(host: str) -> set[str]:
        line = ["ssh", "-T", "-G", "-F", own, host]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        return set(done.stdout.splitlines())

    assert {"hostname 192.0.2.7", "compression yes"} <= reads("roost-a")
    assert {"hostname 192.0.2.8", "compression yes"} <= reads("roost-b")
    assert {"hostname 192.0.2.1", "compression yes"} <= reads("old")
    assert {"hostname new", "compression yes"} <= reads("new")


@pytest.mark.parametrize("place", ["/a%b", "/a*", "/a[1]"])
def test_a_folder_that_openssh_would_misread(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_HOME", place)
    with pytest.raises(UsageError, match="cannot include"):
        include.line()
