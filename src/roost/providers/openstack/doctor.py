"""Checks of a site before anything is made: each judges one answer, and gives its remedy.

A check that cannot be made is "unknown".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from roost.errors import AccessError, RoostError
from roost.model.finding import Finding, judge_installed
from roost.model.resources import Role, State, Wanted
from roost.providers.openstack import session

if TYPE_CHECKING:
    from roost.model.place import Place
    from roost.providers.openstack.client import Site
    from roost.providers.openstack.flavors import Flavor
    from roost.providers.openstack.network import Network
    from roost.spec import Spec

LARGEST_SKEW = timedelta(minutes=5)
"""A token is asked for again shortly before it ends, by this computer's clock."""
NEEDED = ("compute", "network", "image", "block-storage")
READERS = frozenset({"reader"})
INTERFACES = ("network:router_interface", "network:ha_router", "network:router_centralized")
"""What begins the owner of a router's port on a network."""


class OpenStackDoctor:
    """The checks of a site: credentials, clock, services, network, images, quotas."""

    def installed(self) -> Iterator[Finding]:
        """Yield the finding for openstacksdk."""
        from importlib.util import find_spec

        there = "is installed" if find_spec("openstack") is not None else None
        yield judge_installed("openstacksdk", there, "pip install 'roost[openstack]'")

    def examine(
        self, spec: Spec | None, place: Place, file: str | None, observe: Callable[[], State] | None
    ) -> Iterator[Finding]:
        """Yield the findings: of the site of a file, or of every site of this computer."""
        try:
            among = _sites(spec, place)
        except RoostError as error:
            yield _refused("credentials", error)
            return
        for at in among:
            site = _open(at)
            account = list(examine_site(site, str(at)))
            yield from account
            if spec is None or observe is None or any(f.verdict == "problem" for f in account):
                continue
            yield from examine_file(site, spec, file or spec.name, observe)


def _sites(spec: Spec | None, place: Place) -> tuple[session.Site, ...]:
    """Return the sites to examine. Raises RoostError where there is none."""
    if spec is not None or place.region or place.profile:
        return (session.site_of(place, spec.openstack if spec else None),)
    return session.sites() or (session.site_of(place),)


def _open(at: session.Site) -> Site:
    from roost.providers.openstack.client import Site

    return Site(partial(session.connect, at.cloud, at.region or None))


def _refused(check: str, error: RoostError) -> Finding:
    """Return the finding for what the site, or the way to it, refuses."""
    return Finding(
        check=check,
        verdict="problem",
        text=error.what,
        mend=error.next,
        access=isinstance(error, AccessError),
    )


# --- the site ------------------------------------------------------------------------------------


def examine_site(
    site: Site, title: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Finding]:
    """Check the login, this computer's clock, the services and the role. Two requests at most."""
    from roost.providers.openstack.failures import translated

    try:
        with translated(f"log in at {title}"):
            access = site.connection.session.auth.get_access(site.connection.session)
    except RoostError as error:
        yield _refused("credentials", error)
        return
    project = access.project_name or access.project_id
    yield Finding(
        check="credentials",
        verdict="ok",
        text=f"{title}: {access.username or access.user_id} in project {project}",
    )
    yield asked("clock", lambda: judge_clock(_date(site), clock()))
    catalog = access.service_catalog.catalog or ()
    yield judge_services(title, {str(one.get("type")) for one in catalog})
    yield judge_roles(title, frozenset(access.role_names or ()))


def _date(site: Site) -> str | None:
    url = site.connection.config.get_auth_args()["auth_url"]
    answer = site.connection.session.get(url, authenticated=False, raise_exc=False)
    found: str | None = answer.headers.get("Date")
    return found


def judge_clock(date: str | None, now: datetime) -> Finding:
    """Judge whether this computer's clock is near that of the site (the ``Date`` of an answer)."""
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return Finding(check="clock", verdict="unknown", text="the site's answer has no date")
    skew = now - (there if there.tzinfo else there.replace(tzinfo=UTC))
    if abs(skew) <= LARGEST_SKEW:
        return Finding(check="clock", verdict="ok", text="as the site's, within five minutes")
    side = "ahead of" if skew > timedelta() else "behind"
    return Finding(
        check="clock",
        verdict="problem",
        text=f"{abs(skew).total_seconds() / 60:.0f} min {side} the site's",
        mend="sudo timedatectl set-ntp true",
    )


ALIASES = {
    "block-storage": {"block-storage", "volumev3", "volume", "block-store", "volumev2"},
    "compute": {"compute"},
    "network": {"network"},
    "image": {"image"},
}


def judge_services(title: str, types: set[str]) -> Finding:
    """Judge whether the site has the services that roost calls."""
    lacks = [one for one in NEEDED if not ALIASES[one] & types]
    if not lacks:
        return Finding(check="services", verdict="ok", text=", ".join(NEEDED))
    return Finding(
        check="services",
        verdict="problem",
        text=f"{title} has no {', '.join(lacks)} in its catalogue",
        mend="ask the site's support; or an entry of clouds.yaml for another region",
        access=True,
    )


def judge_roles(title: str, roles: frozenset[str]) -> Finding:
    """Judge whether the role lets anything be made: sites have their own names for it."""
    text = ", ".join(sorted(roles)) or "none"
    if roles and roles <= READERS:
        return Finding(
            check="role",
            verdict="problem",
            text=f"your role in the project is only {text}, which may look and make nothing",
            mend=f'the role "member" of the project: ask its manager at {title}',
            access=True,
        )
    return Finding(check="role", verdict="ok" if roles else "unknown", text=text)


# --- a file --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """What a file wants of a site, and what is there of it."""

    spec: Spec
    wanted: Wanted
    have: State


def examine_file(
    site: Site, spec: Spec, file: str, observe: Callable[[], State]
) -> Iterator[Finding]:
    """Yield all that can be known before anything is made of a file. About ten requests."""
    from roost.model.host import Host
    from roost.plan.wanted import wanted_of

    del file
    try:
        have = observe()
    except RoostError as error:
        yield _refused("project", error)
        return
    case = Case(spec, wanted_of(spec, Host(0, 0)), have)
    network, findings = _network(site, case)
    yield from findings
    if network is not None and network.pool:
        yield asked("router", partial(_router, site, network))
    yield from many("image", partial(_images, site, case))
    fitted, findings = _flavors(site, case)
    yield from findings
    yield from many("quota", partial(_quotas, site, case, fitted, network))
    yield _prices(spec)


def _network(site: Site, case: Case) -> tuple[Network | None, tuple[Finding, ...]]:
    from roost.providers.openstack.failures import translated
    from roost.providers.openstack.network import find_network
    from roost.providers.openstack.offers import needs_way_in

    try:
        with translated("look for the network"):
            public = needs_way_in(case.spec.access)
            network = find_network(site, case.spec.openstack, public=public)
    except RoostError as error:
        return None, (_refused("network", error),)
    way = "machines have public addresses" if network.direct else "no public address"
    if network.pool:
        way = f"floating addresses from {network.pool_name}"
    finding = Finding(check="network", verdict="ok", text=f"{network.name}: {way}")
    return network, (finding,)


def _router(site: Site, network: Network) -> Finding:
    """Look for a router that joins the machines' network to that of the addresses."""
    mine = [("network_id", network.id)]
    ports = site.every("network", "/ports", "ports", mine)
    routers = {
        str(port.get("device_id"))
        for port in ports
        if str(port.get("device_owner")).startswith(INTERFACES)
    }
    every = site.every("network", "/routers", "routers")
    gateways = {
        str(one["id"]): str((one.get("external_gateway_info") or {}).get("network_id"))
        for one in every
        if str(one.get("id")) in routers
    }
    return judge_router(network, routers, gateways)


def judge_router(network: Network, routers: set[str], gateways: dict[str, str]) -> Finding:
    """Judge whether floating addresses can be associated: ``gateways`` are those in sight."""
    between = f"between {network.name} and {network.pool_name}"
    if network.pool in gateways.values():
        return Finding(check="router", verdict="ok", text=f"there is one {between}")
    if not routers or len(gateways) == len(routers):
        return Finding(
            check="router",
            verdict="problem",
            text=f"no router {between}: machines could not be reached, nor reach anything",
            mend=f"openstack router set ROUTER --external-gateway {network.pool_name}; openstack "
            "router add subnet ROUTER SUBNET",
        )
    text = f"the site's own router is on {network.name}, and shows nobody where it leads"
    return Finding(check="router", verdict="unknown", text=text)


def _images(site: Site, case: Case) -> Iterator[Finding]:
    from roost.errors import UsageError
    from roost.providers.openstack.images_lookup import find_image

    for image, arch in dict.fromkeys((g.shape.image, g.shape.arch) for g in case.wanted.groups):
        try:
            found = find_image(site, image, arch)
        except UsageError as error:
            yield _refused("image", error)
            continue
        named = str(found.get("name"))[:80]
        yield Finding(check="image", verdict="ok", text=f"{image}: {named}")


def _flavors(site: Site, case: Case) -> tuple[dict[Role, Flavor], tuple[Finding, ...]]:
    """Return the flavors of each role, and the findings about them."""
    from roost.providers.openstack import flavors
    from roost.providers.openstack.failures import translated

    fitted: dict[Role, Flavor] = {}
    findings: list[Finding] = []
    try:
        with translated("look for the flavors"):
            listed = flavors.find_flavors(site)
    except RoostError as error:
        return {}, (_unknown("flavor", error),)
    for group in case.wanted.groups:
        now = {i.shape.type for i in case.have.instances if i.role == group.role}
        try:
            name = flavors.resolved(listed, group.shape, now).type
        except RoostError as error:
            findings.append(_refused("flavor", error))
            continue
        fitted[group.role] = flavors.named(listed, name)
        text = f"{group.role}: {fitted[group.role].text}"
        findings.append(Finding(check="flavor", verdict="ok", text=text))
    return fitted, tuple(findings)


def _quotas(
    site: Site, case: Case, fitted: dict[Role, Flavor], network: Network | None
) -> Iterator[Finding]:
    from roost.providers.openstack import quotas
    from roost.providers.openstack.offers import with_addresses

    limits = quotas.find_limits(site)
    wanted = case.wanted if network is None else with_addresses(case.spec, case.wanted, network)
    more = quotas.needed(wanted, case.have, fitted)
    yield from quotas.judge(limits, more)
    yield from quotas.judge_gpus(case.wanted, case.have, fitted, limits)


def _prices(spec: Spec) -> Finding:
    """Say whether costs can be told, and a budget kept."""
    listed = spec.openstack.price_list
    if listed is not None:
        return Finding(
            check="prices", verdict="ok", text=f"in {listed['unit']}: {listed['source']}"
        )
    kept = "; its budget cannot be kept" if spec.budget else ""
    return Finding(
        check="prices",
        verdict="warning" if spec.budget else "unknown",
        text=f"the file names none, so that costs are unknown{kept}",
        mend='prices = "site.toml" in [openstack]',
    )


# --- checks that cannot be made ------------------------------------------------------------------


def asked(check: str, ask: Callable[[], Finding]) -> Finding:
    """Return what a check found; "unknown" where it cannot be made."""
    return next(many(check, lambda: iter((ask(),))))


def many(check: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a check found; "unknown" where it cannot be made."""
    from roost.providers.openstack.failures import translated

    try:
        with translated(f"check the {check}"):
            found: tuple[Any, ...] = tuple(ask())
    except RoostError as error:
        found = (_unknown(check, error),)
    yield from found


def _unknown(check: str, error: RoostError) -> Finding:
    return Finding(check=check, verdict="unknown", text=error.what, mend=error.next)
