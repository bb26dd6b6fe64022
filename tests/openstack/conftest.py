"""One site for all tests of a session (of each worker); a project of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.bench import missing as machines_missing
from tests.openstack import install
from tests.openstack.site import Project, Site, running


@pytest.fixture(scope="session")
def the_fake_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """OpenStack's real services with fake drivers; skipped with the reason where it cannot be."""
    reason = install.missing()
    if reason is not None:
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("openstack")) as site:
        yield site


@pytest.fixture(scope="session")
def the_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same services, and machines of the bench that really boot; needs root."""
    reason = machines_missing() or install.missing()
    if reason is not None:
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("openstack"), "bench") as site:
        yield site


def calm(site: Site) -> Iterator[Site]:
    """Nothing goes wrong that the test did not ask for."""
    site.proxy.begin()
    yield site
    site.proxy.begin()
    site.faults()


@pytest.fixture
def fake_site(the_fake_site: Site) -> Iterator[Site]:
    yield from calm(the_fake_site)


@pytest.fixture
def site(the_site: Site) -> Iterator[Site]:
    yield from calm(the_site)


@pytest.fixture
def project(fake_site: Site) -> Iterator[Project]:
    """A project of the site with fake machines, which no other test sees."""
    found = fake_site.project()
    yield found
    found.clear()
