"""The user's SSH key: their own, or one that roost makes once."""

from __future__ import annotations

import base64
import binascii
import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roost.errors import RoostError, command_line
from roost.home import home

OWN = ("id_ed25519", "id_rsa")
"""Of ~/.ssh, in this order. EC2 takes no other kinds (ImportKeyPair: "RSA or ED25519")."""
RSA_BITS = (2048, 4096)
"""The lengths that EC2 takes and sshd still does. Source: EC2's guide, "Create a key pair"."""
MADE = "id_ed25519"


def public_key() -> bytes:
    """Return the public key that new machines let in: ``b"ssh-ed25519 AAAA..."``.

    It is the user's own, if EC2 takes it, or that of a pair which roost makes below its home.
    Raises RoostError where there is neither one nor OpenSSH to make it with.
    """
    for name in OWN:
        key = _usable(_ssh_folder() / f"{name}.pub")
        if key is not None:
            return key
    made = _made()
    if not made.is_file():
        _make(made)
    key = _usable(made.with_suffix(".pub"))
    if key is None:
        raise RoostError(
            f"{made}.pub is no public key", next=command_line("mv", made, f"{made}.old")
        )
    return key


def identity() -> Path | None:
    """Return the private key that roost made; None where it never had to."""
    made = _made()
    return made if made.is_file() else None


def identities() -> tuple[Path, ...]:
    """Return the keys to try, roost's own first; none where OpenSSH's own choice is right.

    With roost's key made, machines from before and after may know the one or the other.
    """
    made = identity()
    if made is None:
        return ()
    own = [_ssh_folder() / name for name in OWN]
    return (made, *(key for key in own if key.with_suffix(".pub").is_file()))


def _ssh_folder() -> Path:
    return Path.home() / ".ssh"


def _made() -> Path:
    return home() / "ssh" / MADE


def _usable(file: Path) -> bytes | None:
    """Return the key in a ``.pub`` file, without its comment; None if EC2 would not take it."""
    try:
        kind, blob = file.read_text().split(maxsplit=2)[:2]
        content = base64.b64decode(blob, validate=True)
    except (OSError, ValueError, binascii.Error):
        return None
    if kind == "ssh-ed25519" or (kind == "ssh-rsa" and _rsa_bits(content) in RSA_BITS):
        return f"{kind} {blob}".encode()
    return None


def _rsa_bits(content: bytes) -> int:
    """Return the bits of the modulus: the third string of the blob (RFC 4253)."""
    for _ in range(2):
        content = content[4 + int.from_bytes(content[:4], "big") :]
    length = int.from_bytes(content[:4], "big")
    return int.from_bytes(content[4 : 4 + length], "big").bit_length()


def _make(made: Path) -> None:
    """Make a new pair; of two that make it at once the second takes the first one's."""
    made.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(made.parent), tempfile.TemporaryDirectory(dir=made.parent) as place:
        if made.is_file():
            return
        new = Path(place) / MADE
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "roost", "-f", str(new))
        try:
            done = subprocess.run(keygen, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise no_openssh("ssh-keygen") from None
        if done.returncode != 0:
            raise RoostError(f"ssh-keygen could not make a key: {done.stderr.strip()}")
        # The private key comes last: where it is, its public key is too.
        new.with_suffix(".pub").replace(made.with_suffix(".pub"))
        new.replace(made)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    with (place / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def no_openssh(program: str) -> RoostError:
    """Return the error for a computer without OpenSSH."""
    return RoostError(
        f"{program} is not installed; roost reaches machines through OpenSSH",
        next="sudo apt install openssh-client   (macOS has it)",
    )
