"""The user's SSH key, or one that roost makes."""

import base64
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from roost.errors import RoostError
from roost.ssh import keys

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGH5fGgBdTgC1nD8E/TekwJAet/K4f1f8DiBiQ4NYry/"


def string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def rsa(bits: int) -> str:
    modulus = b"\0" + (1 << (bits - 1)).to_bytes(bits // 8, "big")
    blob = string(b"ssh-rsa") + string(b"\1\0\1") + string(modulus)
    return f"ssh-rsa {base64.b64encode(blob).decode()}"


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's ~/.ssh, empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "roost"))
    (tmp_path / ".ssh").mkdir()
    return tmp_path / ".ssh"


def test_the_users_own_key_without_its_comment(own: Path) -> None:
    (own / "id_rsa.pub").write_text(f"{rsa(4096)} me\n")
    assert keys.public_key().decode() == rsa(4096)
    (own / "id_ed25519.pub").write_text(f"{ED} Zoë's laptop\n")
    assert keys.public_key() == ED.encode()
    assert (keys.identity(), keys.identities()) == (None, ())


@pytest.mark.usefixtures("openssh")
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("id_rsa.pub", rsa(3072)),
        ("id_rsa.pub", rsa(1024)),
        ("id_ecdsa.pub", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY= me"),
        ("id_ed25519.pub", "ssh-ed25519"),
        ("id_ed25519.pub", "ssh-ed25519 not/base64!"),
        ("id_ed25519.pub", ""),
    ],
)
def test_what_ec2_would_not_take_is_not_used(own: Path, file: str, text: str) -> None:
    (own / file).write_text(text)
    assert keys.public_key().startswith(b"ssh-ed25519 AAAA")
    assert keys.identity() == own.parent / "roost" / "ssh" / "id_ed25519"


@pytest.mark.usefixtures("openssh")
def test_the_key_that_roost_makes(own: Path) -> None:
    made = own.parent / "roost" / "ssh" / "id_ed25519"
    public = keys.public_key()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    told = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", made], capture_output=True, text=True, check=True
    )
    assert " ".join(told.stdout.split()[:2]).encode() == public
    assert keys.public_key() == public
    assert sorted(p.name for p in made.parent.iterdir()) == [
        ".lock",
        "id_ed25519",
        "id_ed25519.pub",
    ]


@pytest.mark.usefixtures("openssh")
def test_two_at_once_get_one_key() -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(keys.public_key())) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.usefixtures("openssh")
def test_with_a_key_of_roosts_the_users_later_one_is_tried_too(own: Path) -> None:
    keys.public_key()
    made = own.parent / "roost" / "ssh" / "id_ed25519"
    assert keys.identities() == (made,)
    (own / "id_ed25519.pub").write_text(ED)
    assert keys.identities() == (made, own / "id_ed25519")


def test_without_openssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RoostError, match="ssh-keygen is not installed"):
        keys.public_key()
