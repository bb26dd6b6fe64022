"""Which site is meant, how roost logs in there, and what it says where that fails.

A Keystone of a few lines stands in for the site; the real one is asked in ``tests/openstack``.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from openstack.config import loader

from roost.errors import CredentialsError, RoostError, UnreachableError, UsageError
from roost.model.place import Place
from roost.providers.openstack import egi, session
from roost.providers.openstack.at_once import at_once
from roost.providers.openstack.session import Site, connect, site_of, sites
from roost.spec.openstack import OpenStack
from tests.cli.calling import caller
from tests.serving import serving

Clouds = Callable[..., None]


class Keystone:
    """Tokens for alice, whose password is "secret", and for who brings an access token."""

    def __init__(self) -> None:
        self.logins: list[dict[str, Any]] = []
        self.valid: set[str] = set()
        self.access = {"tok-1"}
        self.lives = timedelta(hours=1)
        self.regions = ["R1"]
        self.images: list[dict[str, Any]] = []
        self.url = ""

    def log_in(self, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, str, Any]:
        """Return the status, the token and the answer to a login."""
        if "OS-FEDERATION" in path:
            bearer = headers["Authorization"].removeprefix("Bearer ")
            self.logins.append({"access": bearer})
            return (201, self._token(), self._access(None)) if bearer in self.access else _REFUSED
        identity, scope = body["auth"]["identity"], body["auth"].get("scope", {})
        self.logins.append(body["auth"])
        if "password" in identity and identity["password"]["user"]["password"] != "secret":
            return _REFUSED
        project = scope.get("project", {})
        known = project.get("id") or project.get("name")
        if known not in (None, "p1", "lab", "garden"):
            return _REFUSED
        return 201, self._token(), self._access(known)

    def _token(self) -> str:
        self.valid.add(token := f"token-{len(self.logins)}")
        return token

    def _access(self, project: str | None) -> dict[str, Any]:
        ends = (datetime.now(UTC) + self.lives).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        said: dict[str, Any] = {"expires_at": ends, "issued_at": ends, "methods": ["password"]}
        said["user"] = {"id": "u1", "name": "alice", "domain": {"id": "default", "name": "D"}}
        if project is not None:
            of = {"garden": ("p2", "garden")}.get(project, ("p1", "lab"))
            said["project"] = {"id": of[0], "name": of[1], "domain": said["user"]["domain"]}
            said["catalog"] = [
                {"type": kind, "name": kind, "endpoints": [*self._endpoints(path)]}
                for kind, path in (("compute", "/nova/v2.1"), ("image", "/glance/v2"))
            ]
        return {"token": said}

    def _endpoints(self, path: str) -> Iterator[dict[str, str]]:
        for region in self.regions:
            url = self.url + (path if region == "R1" else f"/{region}{path}")
            named = {"region_id": region, "region": region, "id": f"e-{region}"}
            yield {"interface": "public", "url": url, **named}

    def get(self, path: str, token: str | None) -> tuple[int, Any]:
        """Return what a site has at a path."""
        if path == "/v3/auth/projects":
            return 200, {"projects": [{"id": "p1", "name": "lab"}]}
        if path.startswith("/v3"):
            link = {"rel": "self", "href": f"{self.url}/v3/"}
            return 200, {"version": {"id": "v3.14", "status": "stable", "links": [link]}}
        if path == "/nova/v2.1/servers/detail":
            return (200, {"servers": []}) if token in self.valid else (401, {})
        if "/glance/v2/images" in path:
            owner = parse_qs(urlsplit(path).query)["owner"]
            there = () if path.startswith("/west") else self.images
            return 200, {"images": [one for one in there if one["owner"] in owner]}
        if path.startswith("/nova"):
            link = {"rel": "self", "href": f"{self.url}/nova/v2.1"}
            versions = {"version": "2.90", "min_version": "2.1"}
            return 200, {
                "version": {"id": "v2.1", "status": "CURRENT", "links": [link], **versions}
            }
        return 404, {}


_REFUSED: tuple[int, str, Any] = (401, "", {"error": {"message": "no", "code": 401}})


@pytest.fixture
def keystone() -> Iterator[Keystone]:
    """A site that answers on this computer."""
    site = Keystone()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def _answer(self, status: int, body: Any, token: str = "") -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if token:
                self.send_header("X-Subject-Token", token)
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._answer(*site.get(self.path, self.headers.get("X-Auth-Token")))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            status, token, answer = site.log_in(self.path, dict(self.headers), body)
            self._answer(status, answer, token)

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield site


@pytest.fixture(autouse=True)
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keystone: Keystone) -> Clouds:
    """Write clouds.yaml: each entry is that of alice but for what it changes; None takes away."""
    for variable in [one for one in os.environ if one.startswith(("OS_", "OIDC_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".config/openstack/clouds.yaml"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(loader, "CONFIG_FILES", [str(file)])
    monkeypatch.setattr(loader, "SECURE_FILES", [])
    usual = {
        "auth_url": f"{keystone.url}/v3",
        "username": "alice",
        "password": "secret",
        "user_domain_name": "D",
        "project_domain_name": "D",
        "project_name": "lab",
    }

    def write(**entries: dict[str, Any]) -> None:
        written = {}
        for name, changes in entries.items():
            auth = {**usual, **changes.pop("auth", {})}
            auth = {k: v for k, v in auth.items() if v is not None}
            written[name] = {"auth": auth, "region_name": "R1", **changes}
        file.write_text(yaml.safe_dump({"clouds": written}))

    return write


EGI: dict[str, Any] = {
    "auth_type": "v3oidcaccesstoken",
    "auth": {
        **dict.fromkeys(("username", "password", "user_domain_name", "project_domain_name")),
        "project_name": None,
        "project_id": "p1",
        "identity_provider": "egi.eu",
        "protocol": "openid",
    },
}


def egi_with(**changes: Any) -> dict[str, Any]:
    return {**EGI, **changes, "auth": {**EGI["auth"], **changes.get("auth", {})}}


def servers(site: str | None = None) -> list[Any]:
    return list(connect(site, None).compute.servers())


def refusal(site: str | None = None, region: str | None = None) -> str:
    with pytest.raises(RoostError) as raised:
        list(connect(site, region).compute.servers())
    return f"{raised.value}; next: {raised.value.next}"


def test_the_site_is_the_named_one_that_of_the_environment_or_the_only_one(
    clouds: Clouds, monkeypatch: pytest.MonkeyPatch, keystone: Keystone
) -> None:
    assert "there is no clouds.yaml" in refusal()
    assert not session.is_set_up()
    clouds(lab={})
    assert servers() == []
    clouds(lab={}, other={"regions": ["R1", "R2"], "region_name": None})
    assert "which site of OpenStack? clouds.yaml has lab, other" in refusal()
    assert 'did you mean "lab"?' in refusal("labb")
    assert "has no region R9; it has R1" in refusal("lab", "R9") or "R9" in refusal("lab", "R9")
    assert sites() == (Site("lab"), Site("other", "R1"), Site("other", "R2"))
    assert site_of(Place(region="other/R2")) == Site("other", "R2")
    assert site_of(Place(region="other")) == Site("other")
    assert site_of(Place(profile="other", region="R2")) == Site("other", "R2")
    assert site_of(Place(), OpenStack(cloud="lab", region="R1")) == Site("lab", "R1")
    monkeypatch.setenv("OS_CLOUD", "lab")
    assert site_of(Place()) == Site("lab")
    monkeypatch.delenv("OS_CLOUD")
    for key, value in {
        "OS_AUTH_URL": f"{keystone.url}/v3",
        "OS_USERNAME": "alice",
        "OS_PASSWORD": "wrong",
        "OS_PROJECT_NAME": "lab",
        "OS_USER_DOMAIN_NAME": "D",
        "OS_PROJECT_DOMAIN_NAME": "D",
    }.items():
        monkeypatch.setenv(key, value)
    assert servers("lab") == [], "the environment's password went to a named site"
    assert site_of(Place()) == Site("envvars")
    session_home = Path("home/openstack/tokens")
    [one.unlink() for one in session_home.glob("*.json")]
    assert "envvars refuses user alice" in refusal()


def test_a_token_serves_many_commands_and_is_asked_for_again_when_it_ends(
    clouds: Clouds, keystone: Keystone, tmp_path: Path
) -> None:
    clouds(lab={})
    servers()
    servers()
    assert len(keystone.logins) == 1
    (kept,) = (tmp_path / "home/openstack/tokens").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert "secret" not in kept.read_text()
    keystone.valid.clear()  # revoked, in the middle of a command or before it
    connection = connect(None, None)
    list(connection.compute.servers())
    keystone.valid.clear()
    list(connection.compute.servers())
    assert len(keystone.logins) == 3
    kept.write_text('{"ends": 9e12, "state": "[]"}')
    servers()
    keystone.lives = timedelta(minutes=4)
    kept.unlink()
    servers()
    servers()
    assert len(keystone.logins) == 6, "a token that ends soon was kept"


def test_what_keeps_us_out_is_named_with_its_mend(
    clouds: Clouds, keystone: Keystone, tmp_path: Path
) -> None:
    def case(**changes: Any) -> str:
        clouds(lab=changes)
        return refusal("lab")

    assert "lab refuses user alice" in case(auth={"password": "no"})
    assert "gives you no project x; yours: lab (p1)" in case(auth={"project_name": "x"})
    none = dict.fromkeys(("project_name", "project_domain_name"))
    assert "nothing names a project; yours: lab (p1); next: project_id: p1" in case(auth=none)
    assert "lab in clouds.yaml has no password" in case(auth={"password": None})
    assert "refuses connections" in case(auth={"auth_url": "http://127.0.0.1:1/v3"})
    nowhere = {"auth_url": "https://keystone.invalid:5000/v3"}
    assert "name that cannot be found" in case(auth=nowhere)
    plain = {"auth_url": keystone.url.replace("http", "https") + "/v3"}
    assert "speaks no TLS" in case(auth=plain)
    assert "there is no Keystone" in case(auth={"auth_url": f"{keystone.url}/horizon"})
    assert "could not be found" in case(auth_type="v3nonsense")
    assert "has no region R2; it has R1" in case(region_name="R2")
    logins = len(keystone.logins)
    clouds(lab={"auth": {"password": "no"}})
    connection = connect("lab", None)
    for _ in range(3):
        with pytest.raises(CredentialsError):
            list(connection.compute.servers())
    assert len(keystone.logins) == logins + 2, "each try counts: sites lock users out"
    (tmp_path / ".config/openstack/clouds.yaml").write_text("clouds: [lab]")
    assert "`clouds:` must hold a table for each site" in refusal("lab")
    (tmp_path / ".config/openstack/clouds.yaml").write_text("clouds:\n  lab: {a: [}\n")
    assert "no sound YAML (line 2)" in refusal("lab")


def test_a_proxy_of_the_environment_is_used(
    clouds: Clouds, keystone: Keystone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clouds(lab={"auth": {"auth_url": "http://keystone.invalid:5000/v3"}})
    monkeypatch.setenv("HTTP_PROXY", keystone.url)
    connect("lab", None).authorize()
    assert keystone.logins, "nobody asked the proxy"
    shutil.rmtree(tmp_path / "home")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert "not reached through the proxy" in refusal("lab")


def jwt(**claims: Any) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.sig"


def test_an_access_token_comes_from_a_command_whenever_one_is_needed(
    clouds: Clouds, keystone: Keystone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clouds(egi=egi_with())
    assert "export OIDC_AGENT_ACCOUNT=egi" in refusal("egi")
    printed = tmp_path / "token"
    printed.write_text("tok-1")
    clouds(egi=egi_with(token_command=["cat", str(printed)]))
    connection = connect("egi", None)
    list(connection.compute.servers())
    keystone.access, keystone.valid = {"tok-2"}, set()  # an hour later
    printed.write_text("tok-2")
    list(connection.compute.servers())
    assert [one["access"] for one in keystone.logins if "access" in one] == ["tok-1", "tok-2"]
    kept = (tmp_path / "home/openstack/tokens").iterdir()
    assert not any("tok-" in one.read_text() for one in kept)
    printed.unlink()
    servers("egi")  # the site's own token holds still: the command is not asked
    keystone.valid = set()
    assert "failed: cat:" in refusal("egi")

    clouds(egi=egi_with())
    keystone.access = {"tok-3"}
    monkeypatch.setenv("OIDC_ACCESS_TOKEN", "tok-3")
    servers("egi")
    monkeypatch.setenv("OIDC_ACCESS_TOKEN", jwt(iss="i", sub="s", exp=time.time() - 600))
    assert "OIDC_ACCESS_TOKEN has an access token that ended 10 minutes ago" in refusal("egi")
    monkeypatch.setenv("OIDC_ACCESS_TOKEN", "tok-nobody")
    assert "in no VO that this site knows" in refusal("egi")


def test_a_site_of_egi_is_looked_up_by_its_vo_once(
    monkeypatch: pytest.MonkeyPatch, keystone: Keystone
) -> None:
    said = OpenStack(vo="vo.lab", site="A-SITE")
    monkeypatch.setitem(sys.modules, "fedcloudclient", None)
    with pytest.raises(UsageError, match="fedcloudclient knows, and is not installed"):
        site_of(Place(), said)
    asked = []

    def find(site: str, vo: str) -> tuple[str | None, str | None, str | None]:
        asked.append(site)
        there = (site, vo) == ("A-SITE", "vo.lab")
        return (f"{keystone.url}/v3", "p1", None) if there else (None, None, None)

    library, module = ModuleType("fedcloudclient"), ModuleType("fedcloudclient.sites")
    module.find_endpoint_and_project_id = find  # type: ignore[attr-defined]
    module.list_sites = lambda vo: ["A-SITE", "B-SITE"]  # type: ignore[attr-defined]
    library.sites = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fedcloudclient", library)
    assert site_of(Place(), said) == site_of(Place(), said) == Site("A-SITE:vo.lab")
    assert asked == ["A-SITE"]
    monkeypatch.setenv("OIDC_ACCESS_TOKEN", "tok-1")
    assert servers("A-SITE:vo.lab") == []
    assert sites() == (Site("A-SITE:vo.lab"),)
    with pytest.raises(UsageError, match=r"C has no project for vo.lab; its sites: A-SITE, B-SITE"):
        egi.look_up("C", "vo.lab")
    with pytest.raises(UsageError, match="which site"):
        egi.look_up(None, "vo.lab")


def test_one_dead_site_costs_its_own_patience_and_is_named() -> None:
    hang = threading.Event()

    def ask(site: Site) -> str:
        if site.cloud == "dead":
            hang.wait(10)
        if site.cloud == "shut":
            raise CredentialsError("no")
        return site.cloud

    began = time.monotonic()
    found = at_once([Site("a"), Site("dead"), Site("shut"), Site("b")], ask, patience=0.2)
    hang.set()
    assert time.monotonic() - began < 2
    assert (found[Site("a")], found[Site("b")]) == ("a", "b")
    assert isinstance(found[Site("shut")], CredentialsError)
    assert isinstance(found[Site("dead")], UnreachableError)


BAKED: dict[str, Any] = {
    **{"id": "i1", "owner": "p1", "status": "active", "created_at": "2026-01-01T00:00:00Z"},
    **{"roost": "~images", "roost_node": "stars", "roost_role": "baked", "min_disk": 8},
    **{"roost_cleaned_by": "s1", "instance_uuid": "s1"},
}


def test_images_of_a_project_are_there_once_however_many_entries_lead_to_it(
    clouds: Clouds,
    keystone: Keystone,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keystone.images, keystone.regions = [BAKED], ["R1", "west"]
    dead = {"auth": {"auth_url": "http://127.0.0.1:1/v3"}}
    both = {"regions": ["R1", "west"], "region_name": None}
    clouds(lab={}, also={}, garden={"auth": {"project_name": "garden"}}, both=both)
    roost = caller(monkeypatch, capsys)
    listed = roost("image", "ls", "--cloud", "openstack", "--json")
    assert [(one["name"], one["region"]) for one in listed.json] == [("stars", "also")], listed.err
    for place in ((), ("--from", "lab"), ("--from", "both/R1")):
        refused = roost("image", "copy", "stars", "--region", "garden", *place)
        assert "one site of OpenStack does not take images of another" in refused.err, place
    refused = roost("image", "copy", "stars", "--region", "both")
    assert refused.code == 2
    assert "both is several places: both/R1, both/west" in refused.err
    clouds(lab={}, also={}, dead=dead)
    refused = roost("image", "ls", "--cloud", "openstack")
    assert refused.code == 1
    assert "dead" in refused.err
