"""The services of one site, as roost calls them: bounded lists, patience, one request a call."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from roost.errors import AccessError
from roost.log import debug
from roost.providers.openstack.failures import CallError, is_absent

T = TypeVar("T")
R = TypeVar("R")

MICROVERSIONS = {"compute": "2.61"}
"""Of Nova, that of Rocky (2018): servers with their flavors, flavors with their extra specs."""
VERSIONS = {"identity": "/v3", "network": "/v2.0", "image": "/v2", "compute": "/v2.1"}
"""What follows an endpoint whose address names no version."""
VERSIONED = re.compile(r"/v\d[\d.]*(/|$)")
PATCH = "application/openstack-images-v2.1-json-patch"
MOST_PAGES = 50
"""Pages of one list; a site gives up to 1000 in each."""
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before the same look again, where the site is in trouble."""
LONGEST_PAUSE = 30.0
"""Seconds that a site can ask roost to wait before the same call again."""
MOST_BYTES = 50_000_000
AT_ONCE = 8
"""Calls at the same time, of what has no call for many."""


@dataclass(slots=True)
class Site:
    """One region of a site; ``connect`` opens openstacksdk's connection, when it is needed."""

    connect: Callable[[], Any]
    sleep: Callable[[float], None] = time.sleep
    _connection: Any = None
    _endpoints: dict[str, str] = field(default_factory=dict)
    _alone: Lock = field(default_factory=Lock)

    @property
    def connection(self) -> Any:
        """openstacksdk's connection."""
        with self._alone:
            if self._connection is None:
                self._connection = self.connect()
            return self._connection

    @property
    def region(self) -> str:
        """The region that is asked; empty where the site has none."""
        return str(self.connection.config.get_region_name() or "")

    @property
    def user(self) -> tuple[str, str]:
        """Who asks, by the token: the id and the name of the user."""
        access = self._access()
        return str(access.user_id or ""), str(access.username or "")

    @property
    def project(self) -> str:
        """The id of the project that the token is for."""
        return str(self._access().project_id or "")

    @property
    def identity(self) -> tuple[str, str]:
        """The project, whatever entries of clouds.yaml lead to it: its id, and Nova's address."""
        return self.project, self.endpoint("compute")

    def _access(self) -> Any:
        session = self.connection.session
        return self._asked(lambda: session.auth.get_access(session))

    def get(self, service: str, path: str, **params: Any) -> Any:
        """Return the answer to a GET."""
        return self.call("GET", service, path, params=params)

    def post(self, service: str, path: str, body: Mapping[str, Any], version: str = "") -> Any:
        """Return the answer to a POST; ``version`` is the least that this call needs of it."""
        return self.call("POST", service, path, body=body, version=version)

    def delete(self, service: str, path: str) -> None:
        """Delete; what is gone already is as good."""
        with suppress_absent():
            self.call("DELETE", service, path)

    def call(
        self,
        method: str,
        service: str,
        path: str,
        *,
        body: Any = None,
        params: Any = None,
        version: str = "",
    ) -> Any:
        """Return the answer of a call; None without any. Raises CallError."""
        for usual in (*PAUSES, None):
            try:
                return self._once(method, service, path, body, params, version)
            except CallError as error:
                if usual is None or (pause := _pause(error, method, usual)) is None:
                    raise
                self.sleep(pause)
        raise AssertionError

    def _once(
        self, method: str, service: str, path: str, body: Any, params: Any, version: str
    ) -> Any:
        headers = {"Accept": "application/json"}
        if version:
            headers["OpenStack-API-Version"] = version
        if service in MICROVERSIONS:
            headers["OpenStack-API-Version"] = f"{service} {MICROVERSIONS[service]}"
            headers["X-OpenStack-Nova-API-Version"] = MICROVERSIONS[service]
        if method == "PATCH" and service == "image":
            headers["Content-Type"] = PATCH
        url = self.endpoint(service) + path
        begun = time.monotonic()
        answer = self._asked(
            lambda: self.connection.session.request(
                url, method, json=body, params=params, headers=headers, raise_exc=False, log=False
            ),
            service,
            method,
            path,
        )
        took = time.monotonic() - begun
        debug("openstack", f"{method} {service} {path}: {answer.status_code} in {took:.2f} s")
        if answer.status_code >= 400:
            raise CallError.from_answer(answer, service, method, path)
        return _parsed(answer, service, method, path)

    def endpoint(self, service: str) -> str:
        """Return the address of a service, with its version. Raises AccessError for none."""
        if service not in self._endpoints:
            config, session = self.connection.config, self.connection.session
            named = config.get_endpoint(service)
            found = named or self._asked(
                lambda: session.get_endpoint(
                    service_type=service,
                    interface=config.get_interface(service),
                    region_name=config.get_region_name(service) or None,
                )
            )
            if not found:
                raise AccessError(f"this site names no service for {service} in its catalogue")
            url = str(found).rstrip("/")
            version = VERSIONS.get(service) or f"/v3/{self.project}"
            self._endpoints[service] = url if VERSIONED.search(url) else url + version
        return self._endpoints[service]

    def _asked(
        self, ask: Callable[[], T], service: str = "identity", method: str = "", path: str = ""
    ) -> T:
        """Return what keystoneauth answers. Raises CallError for what comes instead of one."""
        from keystoneauth1.exceptions import ClientException

        try:
            return ask()
        except ClientException as error:
            raise CallError.without_answer(error, service, method, path) from error

    def every(
        self, service: str, path: str, field: str, params: Iterable[tuple[str, Any]] = ()
    ) -> list[dict[str, Any]]:
        """Return what is under ``field`` in every page of a list."""
        found: list[dict[str, Any]] = []
        marker: list[tuple[str, Any]] = []
        for _ in range(MOST_PAGES):
            answer = self.call("GET", service, path, params=[*params, *marker])
            page = answer.get(field) if isinstance(answer, dict) else None
            page = [one for one in page or () if isinstance(one, dict)]
            found += page
            links = answer.get(f"{field}_links") or [] if isinstance(answer, dict) else []
            more = any(isinstance(one, dict) and one.get("rel") == "next" for one in links)
            if not page or not (more or answer.get("next")):
                return found
            marker = [("marker", page[-1].get("id"))]
        raise CallError(
            0, f"a list that does not end after {len(found)} entries", service, "GET", path
        )

    def each(self, do: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """Do the same for many, some at once; the first error is raised when all have ended."""
        listed = [*things]
        if len(listed) < 2:
            return [do(one) for one in listed]
        with ThreadPoolExecutor(min(AT_ONCE, len(listed))) as pool:
            futures = [pool.submit(do, one) for one in listed]
        return [future.result() for future in futures]


class suppress_absent(suppress):  # noqa: N801 - it reads as contextlib's own
    """Pass over the error of a call about what is not there."""

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        """Return whether the error was of that kind."""
        return error is not None and is_absent(error)


def _pause(error: CallError, method: str, usual: float) -> float | None:
    """Return in how many seconds the same call is worth another try; None for never.

    A site that has too many calls says when to come back, and has done nothing. A look changes
    nothing, so that a moment's trouble of the site ends no command.
    """
    if error.retry_after is not None and error.was_refused:
        return min(LONGEST_PAUSE, max(1.0, error.retry_after))
    return usual if method == "GET" and error.status and error.kind == "busy" else None


def _parsed(answer: Any, service: str, method: str, path: str) -> Any:
    """Return the answer's JSON; None without any. Raises CallError for another page."""
    if answer.status_code in (202, 204) and not answer.content:
        return None
    if len(answer.content) > MOST_BYTES:
        raise CallError(0, "an answer of more than 50 MB", service, method, path)
    try:
        return answer.json() if answer.content else None
    except ValueError:
        text = "the answer is not JSON: it did not come from the service itself"
        raise CallError(0, text, service, method, path) from None
