"""Serving the page on this computer, until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from secrets import randbelow
from typing import TYPE_CHECKING

from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.model.place import Place

HAND_OVER = "roost web"
"""The file that leads a browser to the page; a space is in no name."""


def serve(
    place: Place, port: int, ready: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Serve the page, tell its link to ``ready``, and end at Ctrl-C, once no job is at work."""
    try:
        import uvicorn

        from roost.page.guard import Guard
        from roost.page.site import Site
    except ImportError:
        raise RoostError(
            "the page needs starlette, uvicorn and jinja2, and one of them is not installed",
            next="pip install 'roost[web]'   (where roost is)",
        ) from None
    from roost.ssh.browser import withdraw

    with _listen(port) as listener:
        host, number = listener.getsockname()
        site = Site(Guard(f"{host}:{number}"), place)
        site.entered = lambda: withdraw(HAND_OVER)
        config = uvicorn.Config(
            site.app(),
            log_level="critical",
            access_log=False,  # the link would be in it
            lifespan="off",
            timeout_graceful_shutdown=2,
            server_header=False,
        )

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: object) -> None:
                site.ending = True
                self.should_exit = True

        try:
            ready(site.guard.link)
            with suppress(KeyboardInterrupt):
                Server(config).run(sockets=[listener])
        finally:
            withdraw(HAND_OVER)
    if running := site.jobs.running():
        say(f"still at work: {', '.join(one.title for one in running)}")
        say("Ctrl-C again leaves it as it is then; the same command continues it")
    site.jobs.finish()


def _listen(port: int) -> socket.socket:
    """Listen on loopback, at an address that no other page of this computer has where there are
    many: a browser sends a cookie to every port of an address."""
    own = f"127.{randbelow(254) + 1}.{randbelow(254) + 1}.{randbelow(254) + 1}"
    for host in (own, "127.0.0.1"):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # a browser may be quicker than the server
        except OSError as error:
            listener.close()
            problem = error
        else:
            return listener
    raise RoostError(
        f"port {port} cannot be used: {problem.strerror}", next="roost web   (finds a free port)"
    )
