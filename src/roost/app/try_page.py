"""A desktop's page tried as its person would: the certificate, the password, and the screen."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from roost.errors import RoostError, UnreachableError

PATIENCE = 60.0
"""Seconds in which the page must come: its machines have just said that they are ready."""
TIMEOUT = 20.0
PAUSE = 2.0
MOST = 1_000_000
"""Bytes that are read of an answer."""
OK, REFUSED, SWITCHED = 200, 403, 101
FRAME = 2 + len(b"RFB 003.008\n")
"""The first thing that a screen sends: its version, in a frame of a websocket."""


@dataclass(frozen=True, slots=True)
class Door:
    """The page of a desktop. ``fingerprint`` is what its card says of the certificate (SHA-256);
    "" where none has to be compared: the page comes through a tunnel.
    """

    address: str
    fingerprint: str = ""

    def wait(self) -> None:
        """Wait until the page is there. Raises UnreachableError with what came instead."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                status, kind, _ = self._answer("")
                if status == OK and kind.startswith("text/html"):
                    return
                why = f"it answers with {status}"
            except (OSError, http.client.HTTPException) as error:
                why = str(error) or type(error).__name__
            if time.monotonic() > until:
                raise UnreachableError(f"{self.address} does not show its page: {why}")
            time.sleep(PAUSE)

    def key(self, password: str) -> str | None:
        """Return the place of the screen that a password opens; None where it opens nothing.

        Raises RoostError where the page answers neither yes nor no.
        """
        plain = "".join(filter(str.isalnum, password.lower()))  # as the page itself sends it
        try:
            status, _, body = self._answer("key", {"Authorization": f"Bearer {plain}"})
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{self.address}key does not answer: {error}") from None
        if status == REFUSED:
            return None
        try:
            found = json.loads(body)["socket"] if status == OK else None
        except (ValueError, TypeError, LookupError):
            found = None
        if not (isinstance(found, str) and found.isalnum()):
            raise RoostError(f"{self.address}key answers with {status}, and with no key")
        return found

    def look(self, socket: str) -> None:
        """Let the screen say its version, through all that is in between. Raises RoostError."""
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "cm9vc3Qtcm9vc3Qtcm9vcw==",
            "Sec-WebSocket-Protocol": "binary",
        }
        try:
            status, _, body = self._answer(f"screen/{socket}", upgrade)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"the screen behind {self.address} is silent: {error}") from None
        if status != SWITCHED or body[2:6] != b"RFB ":
            raise RoostError(f"{self.address} shows no screen: it answers with {status}")

    def _answer(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str, bytes]:
        """Return the status, the type and the content of an answer.

        Nothing is sent before the certificate is known to be the one on the card.
        """
        parts = urlsplit(self.address)
        host, port = str(parts.hostname), parts.port
        if parts.scheme == "https":
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT, context=_by_fingerprint()
            )
        else:
            line = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        try:
            line.connect()
            self._compare(line.sock)
            line.request("GET", parts.path + path, headers=headers or {})
            answer = line.getresponse()
            kind = answer.getheader("Content-Type", "")
            switched = answer.status == SWITCHED
            return answer.status, kind, answer.fp.read(FRAME) if switched else answer.read(MOST)
        finally:
            line.close()

    def _compare(self, socket: object) -> None:
        if not self.fingerprint or not isinstance(socket, ssl.SSLSocket):
            return
        digest = hashlib.sha256(socket.getpeercert(binary_form=True) or b"").hexdigest().upper()
        shown = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
        if shown != self.fingerprint:
            raise RoostError(
                f"the certificate of {self.address} is not the one on its card: {shown}",
                next="another machine may answer there; the password was not sent",
            )


def _by_fingerprint() -> ssl.SSLContext:
    """Return a context for certificates that no authority has signed: the card knows them."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
