"""The pages of a class: its wall, one seat of it, and the pictures on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from roost.app.open import open_page
from roost.errors import RoostError, UsageError
from roost.home import check_name
from roost.page.tiles import summary
from roost.page.walls import Walls

if TYPE_CHECKING:
    from starlette.requests import Request

    from roost.page.guard import Guard
    from roost.page.jobs import Jobs
    from roost.session import Session

SANDBOX = "default-src 'none'; sandbox"
"""For a picture that somebody opens by itself: what a seat sent is shown, and nothing more."""


class Classes:
    """The routes of classes. ``page`` makes a page of a template, as all pages are made."""

    def __init__(
        self, session: Session, guard: Guard, jobs: Jobs, page: Callable[..., Response]
    ) -> None:
        self.walls = Walls(session)
        self._session, self._guard, self._jobs, self._page = session, guard, jobs, page

    def routes(self) -> list[Route]:
        """Return them."""
        return [
            Route("/classes/{name}", self.wall),
            Route("/classes/{name}/{seat}", self.seat),
            Route("/parts/classes/{name}", self.part),
            Route("/parts/classes/{name}/{seat}", self.seat_part),
            Route("/pictures/{name}/{seat}/{mark}", self.picture),
            Route("/open", self.open, methods=["POST"]),
        ]

    async def wall(self, request: Request) -> Response:
        """Show all seats."""
        return await self._show(request, "class.html")

    async def part(self, request: Request) -> Response:
        """Show those tiles that are others than at the version that the page has."""
        return await self._show(request, "tiles.html")

    async def seat(self, request: Request) -> Response:
        """Show one seat, with what can be done to it."""
        return await self._show(request, "seat.html")

    async def seat_part(self, request: Request) -> Response:
        """Show what changes of a seat."""
        return await self._show(request, "tiles.html")

    async def _show(self, request: Request, template: str) -> Response:
        name, seat = request.path_params["name"], request.path_params.get("seat")
        try:
            wall = self.walls.of(check_name(name))
        except UsageError as error:
            return PlainTextResponse(error.what, 404)
        since, jobs = (_number(request.query_params.get(key, "")) for key in ("since", "jobs"))
        view = await run_in_threadpool(wall.view)
        if isinstance(view, RoostError):
            return self._page("no_class.html", name=name, error=view)
        tiles = [(at, one) for at, one in view.tiles if seat in (None, one.seat)]
        if seat is not None and not tiles:
            return PlainTextResponse("no such seat", 404)
        whole = template != "tiles.html"
        if not whole and view.version <= since and self._jobs.version <= jobs:
            return Response(status_code=204)
        return self._page(
            template,
            name=name,
            seat=seat,
            it=view.of,
            problem=view.problem,
            version=view.version,
            jobs=self._jobs.version,
            tiles=[one for at, one in tiles if whole or at > since],
            summary=summary([one for _, one in view.tiles]),
        )

    async def picture(self, request: Request) -> Response:
        """Show the last picture of a seat's screen, which was checked when it came."""
        try:
            wall = self.walls.of(check_name(request.path_params["name"]))
        except UsageError as error:
            return PlainTextResponse(error.what, 404)
        found = wall.picture(request.path_params["seat"])
        if found is None:  # a newer one than was asked for is as good
            return PlainTextResponse("no such picture", 404)
        return Response(
            found.data, media_type="image/jpeg", headers={"content-security-policy": SANDBOX}
        )

    async def open(self, request: Request) -> Response:
        """Lead the browser to a seat's desktop: to look on, or to help at it.

        The password goes behind the address's #, which no server gets, and is stored nowhere.
        """
        fields = await self._guard.fields(request)
        if fields is None or not fields.get("seat"):
            return PlainTextResponse("this is no form of the page", 403)
        view = fields.get("as") != "owner"
        try:
            name = check_name(fields.get("name", ""))
            opened = await run_in_threadpool(
                open_page, self._session, name, fields["seat"], view=view
            )
        except RoostError as error:
            return self._page("refused.html", status=409, error=error)
        word = opened.login.password if opened.login is not None else ""
        plain = opened.address
        return self._page("lead.html", to=f"{plain}#{word}" if word and "#" not in plain else plain)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
