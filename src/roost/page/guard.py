"""Who gets an answer: one browser that was given the link, and this page's own forms."""

from __future__ import annotations

from hmac import compare_digest
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

COOKIE = "roost"
LARGEST_FORM = 8192
"""Bytes; a form of the page has a name, a word and its secret."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # "no-referrer" would make the Origin of our own forms "null".
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Guard:
    """The secrets of one run of the page, and the checks of a request.

    ``host`` is the only address and port under which it answers, so that a name that somebody
    points at this computer (DNS rebinding) leads nowhere.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.token: str | None = token_urlsafe(32)
        self.cookie, self.form = token_urlsafe(32), token_urlsafe(32)

    @property
    def link(self) -> str:
        """The address that opens the page, once."""
        return f"http://{self.host}/enter?token={self.token}"

    def enter(self, token: str) -> bool:
        """Return whether this is the link's token, which is used up then."""
        right = self.token is not None and _same(token, self.token)
        if right:
            self.token = None
        return right

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to what may not be asked; None: it may."""
        head = request.headers
        origin, site = head.get("origin"), head.get("sec-fetch-site", "none")
        if head.get("host") != self.host:
            return PlainTextResponse("this is not the address of the page", 421)
        if origin not in (None, f"http://{self.host}"):
            return PlainTextResponse("another page asked for this", 403)
        if request.method != "GET" and (origin is None or site not in ("none", "same-origin")):
            return PlainTextResponse("another page asked for this", 403)
        if request.url.path == "/enter":
            return None
        if not _same(request.cookies.get(COOKIE, ""), self.cookie):
            text = "this browser was not let in; `roost web` opens the page anew"
            return PlainTextResponse(text, 403)
        return None

    async def fields(self, request: Request) -> dict[str, str] | None:
        """Return the fields of a form of this page; None where it is not one."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_FORM:
                return None
        try:
            fields = {key: values[-1] for key, values in parse_qs(body.decode(), True).items()}
        except ValueError:
            return None
        return fields if _same(fields.get("secret", ""), self.form) else None


def _same(given: str, secret: str) -> bool:
    return compare_digest(given.encode(errors="replace"), secret.encode())
