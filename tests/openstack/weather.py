"""What goes wrong between a client and the services, and the names of the moments when it can.

A call is known by what it does and by how many of that kind came before it: ``("POST compute
/servers", 0)``. So a moment keeps its name however often a client looks whether something is done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

At = tuple[str, int]
"""The name of a call, and its number among those of that name, from 0."""
ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
VERSION = re.compile(r"^/v\d+(\.\d+)?(/{project})?(?=/|$)")
LOGIN = "POST identity /auth/tokens"


@dataclass(frozen=True, slots=True)
class Moment:
    """A call that was made."""

    name: str
    number: int

    @property
    def at(self) -> At:
        return self.name, self.number

    @property
    def changes(self) -> bool:
        return not self.name.startswith(("GET", "HEAD", LOGIN))


@dataclass(frozen=True)
class Weather:
    """What goes wrong, and when.

    ``kill_before`` and ``kill_after``: the client gets SIGKILL, before the call was made or when
    it was done. ``errors``: the status that is answered instead of the call; ``refuse`` the same
    for every call of a name. ``lost_answers``: the call is done, and nobody hears of it;
    ``done_but``: it is done, and a gateway before the service answers that status.

    ``token_calls`` and ``token_seconds``: so many calls, and for so long, a token is good.
    """

    kill_before: At | None = None
    kill_after: At | None = None
    errors: dict[At, int] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    lost_answers: frozenset[At] = frozenset()
    done_but: dict[At, int] = field(default_factory=dict)
    token_calls: int | None = None
    token_seconds: float | None = None

    def error(self, at: At) -> int | None:
        return self.errors.get(at) or self.refuse.get(at[0])


def name_of(service: str, method: str, path: str, body: bytes) -> str:
    """``POST compute /servers/{id}/action shelve``: no ids, no version, no question. Pure."""
    plain = ID.sub("{id}", path.partition("?")[0])
    plain = re.sub(r"^(/v3)/{id}(?=/|$)", r"\1", plain) if service == "block-storage" else plain
    plain = VERSION.sub("", plain) or "/"
    name = f"{method} {service} {plain}"
    if plain.endswith("/action"):
        with suppress(ValueError, AttributeError):
            return f"{name} {' '.join(json.loads(body))}"
    return name


TITLES = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
    500: "computeFault",
    503: "serviceUnavailable",
}
TEXTS = {
    403: "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances",
    409: "Cannot do this while the resource is in another task",
    413: "This request was rate-limited.",
    429: "This request was rate-limited.",
    500: "Unexpected API Error. Please report this.",
}
GATEWAY = (
    "<html><body><h1>{status}</h1>No server is available to handle this request.</body></html>"
)


def answer(service: str, status: int) -> tuple[dict[str, str], bytes]:
    """Headers and body of a refusal, in the words of that service, or of what is before it."""
    text = TEXTS.get(status, "A test said so")
    if status == 401:
        return {"WWW-Authenticate": 'Keystone uri="http://127.0.0.1"'}, _json(
            error={
                "code": 401,
                "title": "Unauthorized",
                "message": "The request you have made requires authentication.",
            }
        )
    if status in (502, 503, 504) or service == "image":
        return {"Content-Type": "text/html"}, GATEWAY.format(status=status).encode()
    if service == "network":
        said = {"type": "TestSaidSo", "message": text, "detail": ""}
        return {}, _json(NeutronError=said)
    if service == "identity":
        return {}, _json(error={"code": status, "title": "Refused", "message": text})
    wait = {"Retry-After": "1"} if status in (413, 429) else {}
    return wait, _json(**{TITLES.get(status, "badRequest"): {"code": status, "message": text}})


def _json(**words: object) -> bytes:
    return json.dumps(words).encode()


# --- sweeps --------------------------------------------------------------------------------------

FAULTS = (500, 503, 429, 401, 413)
ABLE = {409: ("POST compute /servers/{id}/", "DELETE", "PUT")}
"""What begins the names of the calls that another task can refuse."""
Point = tuple[At, str]
"""A moment, and what becomes of it: ``kill_before``, ``kill_after``, ``lost``, or a status; ``done
but 504`` is a gateway that did not wait for what was done."""


def kill_points(moments: Iterable[Moment]) -> list[Point]:
    """Before and after each call that changes something. Pure."""
    changes = [moment.at for moment in moments if moment.changes]
    return [(at, when) for at in changes for when in ("kill_before", "kill_after")]


def fault_points(moments: Iterable[Moment], turn: int = 0) -> list[Point]:
    """A lost answer of each call that changes something, and a fault at the first of each name;
    which fault that is goes by turns. Pure."""
    found = list(moments)
    first = [moment for moment in found if moment.number == 0]
    points = [(one.at, str(FAULTS[n % len(FAULTS)])) for n, one in enumerate(first, turn)]
    for status, able in ABLE.items():
        points += [(one.at, str(status)) for one in first if one.name.startswith(able)]
    changes = [moment.at for moment in found if moment.changes]
    points += [(at, "lost") for at in changes]
    return points + [(one.at, "done but 504") for one in first if one.changes]


def weather_at(point: Point) -> Weather:
    """The weather in which just that happens. Pure."""
    at, what = point
    match what:
        case "kill_before":
            return Weather(kill_before=at)
        case "kill_after":
            return Weather(kill_after=at)
        case "lost":
            return Weather(lost_answers=frozenset({at}))
        case "done but 504":
            return Weather(done_but={at: 504})
    return Weather(errors={at: int(what)})
