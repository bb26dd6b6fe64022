"""The address of this computer as others see it: whom "me" lets in."""

from __future__ import annotations

import os
from ipaddress import IPv4Address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread

from roost.errors import RoostError

MY_ADDRESS = "ROOST_MY_ADDRESS"
"""The CIDR or address that "me" means, where it cannot be asked for (a closed network)."""
WHO_AM_I = "https://checkip.amazonaws.com"
PATIENCE = 10.0
"""Seconds in which that service must have answered."""
LONGEST_ANSWER = 256
"""Bytes of its answer that are read; an address has at most 15, and the line's end."""
SHOWN = 60
"""Characters of an answer that an error shows."""


def my_address() -> str:
    """Return the CIDR of the address from which the internet sees this computer. Raises RoostError.

    What the user sets may be a network. What the service answers must be one public address: it
    goes into the firewall, where 0.0.0.0/0 would let in everybody.
    """
    own = os.environ.get(MY_ADDRESS)
    if own is None:
        return _as_public(_ask_address())
    try:
        return str(ip_network(own, strict=False))
    except ValueError:
        raise address_unknown(f"{MY_ADDRESS} is {_shown(own)}, which is no address") from None


def _as_public(answer: bytes) -> str:
    """Return the CIDR of the one IPv4 address in the answer. Raises RoostError for all else."""
    text = answer.decode("ascii", errors="replace").strip()
    try:
        address = IPv4Address(text)
    except ValueError:
        raise address_unknown(
            f"{WHO_AM_I} answered {_shown(text)}, which is not one IPv4 address"
        ) from None
    if not address.is_global or address.is_multicast:
        raise address_unknown(f"{WHO_AM_I} answered {address}, which is not a public address")
    return f"{address}/32"


def _ask_address() -> bytes:
    """Return the start of the service's answer. Raises RoostError where it does not come in time.

    A thread asks: looking up a host has no limit of time, and a server that sends one byte now
    and then stays within the limit of each read.
    """
    import urllib.request
    from http.client import HTTPException

    answers: SimpleQueue[bytes | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            with urllib.request.urlopen(WHO_AM_I, timeout=PATIENCE) as answer:
                answers.put(answer.read(LONGEST_ANSWER))
        except Exception as error:
            answers.put(error)

    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=PATIENCE)
    except Empty:
        raise address_unknown(f"{WHO_AM_I} did not answer within {PATIENCE:g} s") from None
    if isinstance(answer, (OSError, HTTPException)):
        raise address_unknown(f"{WHO_AM_I} did not answer: {_shown(str(answer))}") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _shown(text: str) -> str:
    """Return the start of a text from elsewhere, safe to print on a terminal."""
    return repr(text[:SHOWN]) + ("..." if len(text) > SHOWN else "")


def address_unknown(why: str) -> RoostError:
    """Return the error for a computer whose address cannot be let in."""
    return RoostError(
        f'which address is "me"? {why}',
        next=f'ssh = ["YOUR.NET.WORK.0/24"] in [access], or: export {MY_ADDRESS}=...',
    )
