"""The gateway of a name: how it knows that it is still needed, and a class's pages. Pure.

It runs sshd, as its image has it; for a class whose file opens HTTPS, Caddy as well. The guard
stops it once it is idle.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from roost.recipes.base import Context, Recipe
from roost.recipes.desktop.desktop import AT, UNITS
from roost.recipes.desktop.novnc import HANDOUT, page
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from roost.model.resources import Role
    from roost.spec import Spec

BUSY = "/etc/roost/busy.d/50-behind"
BEHIND = "/etc/roost/behind"
"""The private addresses of the machines behind it, one a line."""
CONFIG = "/etc/roost/gateway-page.json"
CERTIFICATE = "/etc/roost/secrets/page.crt"
MAKER = "/usr/lib/roost/gateway-certificate"
GLANCES = "/usr/lib/roost/gateway-glances"
"""The program that looks at all seats while a trainer's page is open, and only then."""
SERVICE = "roost-gateway-page.service"
CREDENTIALS = f"/run/credentials/{SERVICE}"
GUARDED = {
    "Content-Security-Policy": ["frame-ancestors 'none'"],
    "X-Content-Type-Options": ["nosniff"],
    "Referrer-Policy": ["no-referrer"],
    "Cache-Control": ["no-cache"],
}
FROM_A_SEAT = {
    "Content-Security-Policy": ["sandbox; default-src 'none'"],
    "X-Content-Type-Options": ["nosniff"],
    "Content-Type": ["application/json"],
    "Cache-Control": ["no-store"],
}
"""All seats are one origin to a browser, and who has a seat may be root there. So the pages are the
gateway's own, and what a seat answers is data to a browser: no page, no script, no cookie."""
DATA = ("key", "mine", "hand", "restart", "screen/*")
"""The places of a seat that lead to it: what is its own, and no picture of it."""
NO_COOKIES = ["Set-Cookie", "Clear-Site-Data", "Location", "Refresh", "Link"]


def steps(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    """Return the steps that keep it up as long as a machine behind it is on, and its pages."""
    del role
    files = (
        File(BEHIND, "".join(f"{address}\n" for address in context.behind)),
        File(BUSY, program("gateway-busy"), "0755"),
    )
    watching = Step(name="gateway", title="watching the machines behind it", files=files, own=True)
    if spec.kind != "classroom" or not spec.access.https:
        return (watching,)
    config = json.dumps(caddy(context.seats, spec.access.host), indent=1) + "\n"
    return (
        watching,
        Step(
            name="gateway-page",
            title="opening the pages of the seats",
            packages=("caddy", "novnc", "openssl"),
            files=(
                *page(spec.name, HANDOUT),
                File(MAKER, program("gateway-certificate"), "0755"),
                File(GLANCES, program("gateway-glances"), "0755"),
                File(CONFIG, config, "0600"),
                File(f"{UNITS}/{SERVICE}", program(SERVICE)),
            ),
            commands=(
                # The system's own would show its page to everybody.
                Command(argv=("systemctl", "disable", "--now", "caddy.service")),
                Command(argv=(MAKER,)),
            ),
            services=(SERVICE,),
            own=True,
        ),
    )


def caddy(seats: Mapping[int, str], host: str | None) -> dict[str, Any]:
    """Return Caddy's configuration: ``/7/`` is the page of seat 7, whose address is in ``seats``.

    The certificate is that of ``host``, by ACME over port 443 alone, or the machine's own.
    """
    routes = [route for number in sorted(seats) for route in _seat(number, seats[number])]
    server = {
        "listen": [":443"],
        "automatic_https": {"disable": True},
        "protocols": ["h1", "h2"],
        "tls_connection_policies": [{}] if host else [{"certificate_selection": OWN}],
        "routes": [*routes, _answer(404, "There is no such seat. Its address is on your handout.")],
    }
    return {
        "admin": {"disabled": True},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "storage": {"module": "file_system", "root": "/var/lib/roost-gateway-page"},
        "apps": {
            "tls": _by_acme(host) if host else BY_ITSELF,
            "http": {"servers": {"page": server}},
        },
    }


OWN = {"any_tag": ["own"]}
BY_ITSELF = {
    "certificates": {
        "load_files": [
            {
                "certificate": f"{CREDENTIALS}/page.crt",
                "key": f"{CREDENTIALS}/page.key",
                "tags": ["own"],
            }
        ]
    }
}


def _by_acme(host: str) -> dict[str, Any]:
    issuer = {"module": "acme", "challenges": {"http": {"disabled": True}}}
    return {
        "certificates": {"automate": [host]},
        "automation": {"policies": [{"subjects": [host], "issuers": [issuer]}]},
    }


def _seat(number: int, address: str) -> Iterable[dict[str, Any]]:
    """Yield the routes of one seat: its places for data lead to it, all else is static."""
    upstream = f"[{address}]:443" if ":" in address else f"{address}:443"
    strip = {"handler": "rewrite", "strip_path_prefix": f"/{number}"}
    yield {
        "match": [{"path": [f"/{number}/{place}" for place in DATA]}],
        "terminal": True,
        "handle": [
            strip,
            {"handler": "headers", "response": _guarded(FROM_A_SEAT, NO_COOKIES)},
            {
                "handler": "reverse_proxy",
                # The seat's certificate is its own. Between the two is the cloud's own network.
                "transport": {
                    "protocol": "http",
                    "tls": {"insecure_skip_verify": True},
                    "dial_timeout": "5s",
                },
                "upstreams": [{"dial": upstream}],
            },
        ],
    }
    yield {
        "match": [{"path": [f"/{number}"]}],
        "terminal": True,
        "handle": [
            {
                "handler": "static_response",
                "status_code": 308,
                "headers": {"Location": [f"/{number}/"]},
            }
        ],
    }
    for path, root in ((f"/{number}/novnc/*", "/usr/share"), (f"/{number}/*", f"{AT}/page")):
        yield {
            "match": [{"path": [path]}],
            "terminal": True,
            "handle": [
                strip,
                {"handler": "headers", "response": _guarded(GUARDED)},
                {"handler": "file_server", "root": root, "index_names": ["index.html"]},
            ],
        }


def _guarded(headers: Mapping[str, list[str]], gone: Iterable[str] = ()) -> dict[str, Any]:
    return {"deferred": True, "set": headers, "delete": ["Server", *gone]}


def _answer(status: int, text: str) -> dict[str, Any]:
    kind = {"Content-Type": ["text/plain; charset=utf-8"]}
    return {
        "handle": [
            {"handler": "static_response", "status_code": status, "headers": kind, "body": text}
        ]
    }


RECIPE = Recipe(steps=steps)
