"""The limited right of machines on their own servers: an application credential with access rules.

A server that is off costs as much as one that runs at most sites, and one that is shelved costs
nothing. So that a machine's guard can shelve its own server, roost makes a credential of the user
which may POST to this server's ``action`` and do nothing else. Access rules see method and path,
not the verb: ``forceDelete`` is within reach, so only root of the machine can read it. It is
brought by ssh, and lies nowhere else: not in user-data, metadata, words of a command, or logs.

All machines of a name share one credential, so that the calls do not grow with their number; seats
of a classroom, which belong to different people, have one each. A credential goes with its last
server (``release``), and the access rules that Keystone keeps for themselves go with it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from roost.model.record import read_record
from roost.providers.machine_rights import MachineRight
from roost.providers.openstack.failures import CallError, known

if TYPE_CHECKING:
    from roost.model.resources import Instance, State
    from roost.providers.openstack.client import Site
    from roost.spec import Spec

SECRET = "server-right"  # noqa: S105 - the name of the file
"""The name under which ``machine/platforms/openstack.py`` finds it."""
MARK = "roost:"
MOST = 10_000
"""Credentials of one user that are looked at."""
ACTION = re.compile(r"/servers/([0-9a-f-]{36})/action$")
VERSION = re.compile(r"/v2(\.\d+)?(/|$)")
SHELVES = '[openstack] guard = "shelve"'


# --- what is asked for, and what there is: pure ---------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One application credential of roost's, and the servers that it may act on."""

    id: str
    servers: frozenset[str]


def access_rules(endpoint: str, servers: Iterable[str]) -> list[dict[str, str]]:
    """Return the rules that let these servers be acted on, and nothing else.

    Nova sees the whole path of its endpoint, or, behind some proxies, what begins at the version.
    """
    path = urlsplit(endpoint).path.rstrip("/")
    version = VERSION.search(path)
    paths = {path, path[version.start() :] if version else path}
    return [
        {"service": "compute", "method": "POST", "path": f"{one}/servers/{server}/action"}
        for server in sorted(servers)
        for one in sorted(paths)
    ]


def mark(name: str, region: str) -> str:
    """Return how the credentials of a name in a region are called; a random word follows."""
    return f"{MARK}{region}:{name}:"


def read(answer: Any, begins: str, project: str) -> tuple[Credential, ...]:
    """Return the credentials of this project whose names begin so, from Keystone's list."""
    listed = answer.get("application_credentials") if isinstance(answer, dict) else None
    found = []
    for one in listed[:MOST] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or one.get("project_id") != project:
            continue
        if str(one.get("name", "")).startswith(begins) and isinstance(one.get("id"), str):
            found.append(Credential(id=one["id"], servers=_servers(one.get("access_rules"))))
    return tuple(found)


def _servers(rules: Any) -> frozenset[str]:
    paths = [str(one.get("path", "")) for one in rules or () if isinstance(one, dict)]
    return frozenset(match[1] for path in paths if (match := ACTION.search(path)))


def is_wanted(spec: Spec) -> bool:
    """Tell whether the file lets its machines shelve themselves."""
    return spec.openstack.guard == "shelve"


def stops_by_itself(spec: Spec) -> bool:
    """Tell whether the file names a limit at which its machines end by themselves."""
    when = spec.schedule
    return bool(when.idle or when.end or when.after or spec.budget)


# --- at the site ----------------------------------------------------------------------------------


def existing(site: Site, name: str) -> tuple[Credential, ...]:
    """Return the credentials of a name in this region. Raises CallError."""
    answer = site.get("identity", f"/users/{site.user[0]}/application_credentials")
    return read(answer, mark(name, site.region), site.project)


def make(site: Site, name: str, servers: frozenset[str]) -> tuple[Credential, str]:
    """Make a credential for these servers; return it with its secret. Raises CallError.

    A Keystone that knows no access rules would make one that may do everything: it goes at once.
    """
    rules = access_rules(site.endpoint("compute"), servers)
    asked = {
        "name": mark(name, site.region) + secrets.token_hex(4),
        "description": f"lets the machines of {name} shelve themselves; made by roost",
        "unrestricted": False,
        "access_rules": rules,
    }
    place = f"/users/{site.user[0]}/application_credentials"
    answer = site.post("identity", place, {"application_credential": asked})
    made = answer.get("application_credential") if isinstance(answer, dict) else None
    if not isinstance(made, dict) or not all(
        isinstance(made.get(k), str) for k in ("id", "secret")
    ):
        raise CallError(0, "the answer has no credential", "identity", "POST", place)
    limited = made.get("access_rules") or ()
    paths = {one.get("path") for one in limited if isinstance(one, dict)}
    if made.get("unrestricted") or paths != {one["path"] for one in rules}:
        site.delete("identity", f"{place}/{made['id']}")
        raise CallError(0, "this Keystone knows no access rules", "identity", "POST", place)
    return Credential(id=made["id"], servers=servers), made["secret"]


def release(
    site: Site, name: str, record: str | None, remaining: frozenset[str] = frozenset()
) -> None:
    """Delete the credentials of a name that are of no use to the ``remaining`` servers (ids).

    To be called when servers have been deleted; without any left, all go. A name whose record says
    that it has none is not asked for (None: it may have). Raises CallError, but not where the site
    knows no such credentials, or lets this user do nothing with them: their servers are gone.
    """
    table = read_record(record).openstack or {}
    if record is not None and table.get("guard") != "shelve":
        return
    try:
        delete(site, [one for one in existing(site, name) if not one.servers & remaining])
    except CallError as error:
        if error.kind not in ("access", "absent", "old site"):
            raise


def delete(site: Site, gone: Iterable[Credential]) -> None:
    """Delete credentials, then the access rules that were made for them. Raises CallError."""
    listed = list(gone)
    if not listed:
        return
    user = f"/users/{site.user[0]}"
    site.each(
        lambda one: site.delete("identity", f"{user}/application_credentials/{one.id}"), listed
    )
    servers = frozenset().union(*(one.servers for one in listed))
    answer = site.get("identity", f"{user}/access_rules")
    rules = answer.get("access_rules") if isinstance(answer, dict) else None
    unused = [
        str(one.get("id"))
        for one in (rules if isinstance(rules, list) else ())
        if isinstance(one, dict) and _servers([one]) & servers
    ]

    def remove(rule: str) -> None:
        with suppress(CallError):  # another credential has it: it goes with that one
            site.delete("identity", f"{user}/access_rules/{rule}")

    site.each(remove, unused)


# --- the hand-over --------------------------------------------------------------------------------


@dataclass(slots=True)
class ServerRights:
    """Fulfils ``roost.providers.machine_rights.MachineRights`` at one site."""

    site: Site

    def begin(self, spec: Spec, state: State) -> Handout:
        """Begin to hand rights out to machines of a name."""
        return Handout(self.site, spec, state)


@dataclass(slots=True)
class Handout:
    """The rights of the machines of one name, during one hand-over; asked by many threads."""

    site: Site
    spec: Spec
    state: State
    _lock: Any = field(default_factory=Lock)
    _before: tuple[Credential, ...] | None = None
    _made: dict[frozenset[str], tuple[Credential, str]] = field(default_factory=dict)
    _held: dict[str, str] = field(default_factory=dict)
    _refused: str = ""

    @property
    def _wanted(self) -> bool:
        return is_wanted(self.spec) and stops_by_itself(self.spec)

    def right(self, instance: Instance, held: str) -> MachineRight:
        """Return the right of a machine, which has that of the id ``held``; "" for none."""
        with self._lock:
            self._held[instance.id] = held
            if not self._wanted:
                return MachineRight(secrets={SECRET: b"{}"} if held else {})
            if self._refused:
                return MachineRight(id=held)
            try:
                return self._right(instance, held)
            except CallError as error:
                self._refused = known(error, "make an application credential").what
                return MachineRight(id=held)

    def _right(self, instance: Instance, held: str) -> MachineRight:
        if self._before is None:
            self._before = existing(self.site, self.spec.name)
        if any(one.id == held and instance.id in one.servers for one in self._before):
            return MachineRight(id=held)
        servers = frozenset(i.id for i in self.state.instances if i.id)
        if self.spec.kind == "classroom":
            servers = frozenset((instance.id,))
        if servers not in self._made:
            self._made[servers] = make(self.site, self.spec.name, servers)
        credential, secret = self._made[servers]
        self._held[instance.id] = credential.id
        return MachineRight(
            id=credential.id, secrets={SECRET: self._file(instance, credential, secret)}
        )

    def _file(self, instance: Instance, credential: Credential, secret: str) -> bytes:
        """Return what the machine reads."""
        verify, _ = self.site.connection.config.get_requests_verify_args()
        found = {
            "identity": self.site.endpoint("identity"),
            "compute": self.site.endpoint("compute"),
            "server": instance.id,
            "id": credential.id,
            "secret": secret,
        }
        if isinstance(verify, str):
            found["ca"] = Path(verify).read_text()
        return json.dumps(found).encode()

    def end(self, ready: frozenset[str]) -> tuple[str, ...]:
        """Delete what no machine needs any more; return what the user should know.

        ``ready`` are the machines that have what they were brought: others may hold an older one.
        """
        there = {one.id for one in self.state.instances}
        holds = {i.id: self._held.get(i.id) for i in self.state.instances if i.name in ready}
        try:
            if self._made or any(self._held.values()):
                before = self._before
                if before is None:
                    before = existing(self.site, self.spec.name)
                old = [
                    one
                    for one in before
                    if not self._wanted
                    or all(holds.get(s, one.id) != one.id for s in one.servers & there)
                ]
                delete(self.site, old)
        except CallError as error:
            return (*self._notes(), known(error, "delete an application credential").what)
        return self._notes()

    def _notes(self) -> tuple[str, ...]:
        if not stops_by_itself(self.spec) or (is_wanted(self.spec) and not self._refused):
            return ()
        off = (
            f"a machine of {self.spec.name} that stops by itself is powered off, and many sites"
            " charge for it as if it ran"
        )
        if not self._refused:
            return (f"{off} ({SHELVES} lets it end that)",)
        return (f"{off}; it cannot shelve itself: {self._refused}{self._hint()}",)

    def _hint(self) -> str:
        kind = str(self.site.connection.config.config.get("auth_type") or "")
        if "applicationcredential" in kind.replace("_", ""):
            return (
                " (your clouds.yaml has an application credential, and only an unrestricted one may"
                " make another)"
            )
        return ""
