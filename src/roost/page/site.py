"""The page itself: what it shows, and the forms that call the same use cases as the commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from roost.app.audit import Audited, audited
from roost.app.listing import listed
from roost.app.plan import Planned, Usage, planned
from roost.app.show import Shown, hourly, shown
from roost.errors import RoostError, UsageError
from roost.home import check_name, is_name
from roost.model.nodes import is_node
from roost.page.classes import Classes
from roost.page.drawing import doors, groups
from roost.page.guard import COOKIE, HEADERS, Guard
from roost.page.jobs import Job, Jobs
from roost.page.look import Looks
from roost.page.verbs import BESIDE, VERBS
from roost.page.words import limits_lines, local_time
from roost.session import Session
from roost.units import format_size

if TYPE_CHECKING:
    from starlette.middleware.base import RequestResponseEndpoint
    from starlette.requests import Request

    from roost.model.place import Place
    from roost.model.summary import Summary
    from roost.page.walls import Wall

T = TypeVar("T")
HERE = Path(__file__).parent
LOOK_SECONDS = 15.0
"""How old what is shown may be; the pages ask again as often."""
AUDIT_SECONDS = PRICE_SECONDS = 300.0
AT_ONCE = 8
WATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Names:
    """All names that can be listed, each place that cannot, and what each name costs an hour."""

    rows: tuple[Summary, ...]
    unknown: tuple[str, ...]
    prices: Mapping[str, str]


class Site:
    """The page of one run of `roost web`, for one place."""

    def __init__(self, guard: Guard, place: Place) -> None:
        self.guard, self.jobs = guard, Jobs(place)
        # A look tells nobody, and asks nothing.
        silent = Job(0, "", "look", lambda: None)
        self.session = Session(reporter=silent, consent=silent, place=place, command="roost web")
        self.names = Looks(lambda _: self._names(), LOOK_SECONDS)
        self.prices = Looks(self._price, PRICE_SECONDS)
        self.shown = Looks(self._shown, LOOK_SECONDS)
        self.planned = Looks(self._planned, PRICE_SECONDS)
        self.audited = Looks(lambda _: self._audited(), AUDIT_SECONDS)
        self.ending = False
        self.entered: Callable[[], None] = lambda: None
        self._pages = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters |= {"local": local_time, "limits": limits_lines, "size": format_size}
        self.classes = Classes(self.session, guard, self.jobs, self._page)

    def app(self) -> Starlette:
        """Return the application to serve."""
        return Starlette(
            routes=[
                Route("/", self.index),
                Route("/enter", self.enter),
                Route("/parts/names", self.names_part),
                Route("/names/{name}", self.name),
                Route("/parts/names/{name}", self.name_part),
                *self.classes.routes(),
                Route("/plans/{name}", self.plan),
                Route("/audit", self.audit),
                Route("/verbs/{verb}", self.begin, methods=["POST"]),
                Route("/jobs/{number:int}", self.job),
                Route("/parts/jobs/{number:int}", self.job_part),
                Route("/jobs/{number:int}/answer", self.answer, methods=["POST"]),
                Route("/events", self.events),
                Mount("/static", StaticFiles(directory=HERE / "static")),
            ],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._guarded)],
        )

    async def _guarded(self, request: Request, answer: RequestResponseEndpoint) -> Response:
        response = self.guard.refusal(request) or await answer(request)
        for key, value in HEADERS.items():
            response.headers.setdefault(key, value)
        return response

    # --- what is shown ----------------------------------------------------------------------------

    async def enter(self, request: Request) -> Response:
        """Give the cookie for the link's token, once."""
        if not self.guard.enter(request.query_params.get("token", "")):
            return PlainTextResponse("this link was used; `roost web` makes another", 403)
        self.entered()
        # A page and no redirect: a SameSite cookie does not go along on the way from a file.
        response = self._page("enter.html")
        response.set_cookie(COOKIE, self.guard.cookie, httponly=True, samesite="strict")
        return response

    async def index(self, _: Request) -> Response:
        """Show every name."""
        return self._page("index.html", found=await run_in_threadpool(self.names.get))

    async def names_part(self, _: Request) -> Response:
        """Show the table of names."""
        return self._page("names.html", found=await run_in_threadpool(self.names.get))

    async def name(self, request: Request) -> Response:
        """Show one name."""
        return await self._name(request, "name.html")

    async def name_part(self, request: Request) -> Response:
        """Show what changes of one name."""
        return await self._name(request, "state.html")

    async def _name(self, request: Request, template: str) -> Response:
        try:
            name = check_name(request.path_params["name"])
        except UsageError as error:
            return PlainTextResponse(error.what, 404)
        found = await run_in_threadpool(self.names.get)
        rows = [] if isinstance(found, RoostError) else found.rows
        if any((row.name, row.kind) == (name, "classroom") for row in rows):
            return RedirectResponse(f"/classes/{name}", 303)
        return self._page(template, name=name, it=await run_in_threadpool(self.shown.get, name))

    async def plan(self, request: Request) -> Response:
        """Draw what the file of a name makes, and what that costs."""
        try:
            name = check_name(request.path_params["name"])
        except UsageError as error:
            return PlainTextResponse(error.what, 404)
        it = await run_in_threadpool(self.planned.get, name)
        drawn: dict[str, Any] = {}
        if isinstance(it, Planned):
            drawn = {"groups": groups(it.wanted), "doors": doors(it.wanted)}
        return self._page("plan.html", name=name, it=it, **drawn)

    async def audit(self, _: Request) -> Response:
        """Show what costs money in the accounts, and what of it has no owner."""
        return self._page("audit.html", it=await run_in_threadpool(self.audited.get))

    def _names(self) -> Names | RoostError:
        found = _or_error(lambda: listed(self.session))
        if isinstance(found, RoostError):
            return found
        names = [row.name for row in found.rows]
        # All at once; each is kept for longer than the list is.
        with ThreadPoolExecutor(AT_ONCE) as pool:
            prices = dict(zip(names, pool.map(self.prices.get, names), strict=True))
        return Names(found.rows, found.unknown, prices)

    def _price(self, name: str) -> str:
        try:
            return hourly(self.session, name)
        except RoostError:
            return "unknown"

    def _shown(self, name: str) -> Shown | RoostError:
        return _or_error(lambda: shown(self.session, name))

    def _planned(self, name: str) -> Planned | RoostError:
        whole = Usage(hours_a_day=Decimal(24), days=Decimal(30))
        return _or_error(lambda: planned(self.session, name, whole, diff=False))

    def _audited(self) -> Audited | RoostError:
        return _or_error(lambda: audited(self.session, every=False))

    # --- what is done -----------------------------------------------------------------------------

    async def begin(self, request: Request) -> Response:
        """Begin a verb, and lead to its job."""
        fields, do = await self.guard.fields(request), VERBS.get(request.path_params["verb"])
        seat = fields.get("seat", "") if fields else ""
        if fields is None or do is None or (seat and not is_node(seat)):
            return PlainTextResponse("this is no form of the page", 403)
        verb = request.path_params["verb"]
        given = {key: value for key, value in fields.items() if key != "secret"}
        try:
            name = check_name(fields.get("name", ""))

            def work(session: Session) -> None:
                try:
                    do(session, name, given)
                finally:
                    self.names.forget()
                    self.prices.forget()
                    self.shown.forget()
                    self.classes.walls.forget()

            on = f"{verb} {seat}" if verb in BESIDE else seat
            job = self.jobs.begin(name, verb, work, seat=seat, on=on)
        except RoostError as error:
            return self._page("refused.html", status=409, error=error)
        return RedirectResponse(f"/jobs/{job.number}", 303)

    async def job(self, request: Request) -> Response:
        """Show one job, with its question."""
        return self._job(request, "job.html")

    async def job_part(self, request: Request) -> Response:
        """Show what changes of a job."""
        return self._job(request, "progress.html")

    def _job(self, request: Request, template: str) -> Response:
        job = self.jobs.all.get(request.path_params["number"])
        return self._page(template, job=job) if job else PlainTextResponse("no such job", 404)

    async def answer(self, request: Request) -> Response:
        """Answer a job's question."""
        fields, number = await self.guard.fields(request), request.path_params["number"]
        job = self.jobs.all.get(number)
        if fields is None or job is None:
            return PlainTextResponse("this is no form of the page", 403)
        job.answer(fields.get("answer", ""))
        return RedirectResponse(f"/jobs/{number}", 303)

    async def events(self, request: Request) -> Response:
        """Tell for as long as somebody looks that there is something new to show."""
        name = request.query_params.get("class", "")
        wall = self.classes.walls.of(name) if is_name(name) else None
        return StreamingResponse(self._events(wall), media_type="text/event-stream")

    async def _events(self, wall: Wall | None) -> AsyncIterator[str]:
        told, seen, waited = self.jobs.version, 0, 0.0
        yield ": here\n\n"
        while not self.ending:
            await asyncio.sleep(WATCH_SECONDS)
            waited += WATCH_SECONDS
            if wall is not None:
                wall.keep()
                if (now := wall.version()) != seen:
                    seen = now
                    yield "event: wall\ndata:\n\n"
            if self.jobs.version != told:
                told = self.jobs.version
                yield "event: job\ndata:\n\n"
            if waited >= LOOK_SECONDS:
                waited = 0.0
                yield "event: look\ndata:\n\n"

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:
        values |= {"secret": self.guard.form, "running": self.jobs.running(), "quote": quote}
        return HTMLResponse(self._pages.get_template(template).render(values), status)


def _or_error(look: Callable[[], T]) -> T | RoostError:
    try:
        return look()
    except RoostError as error:
        return error
