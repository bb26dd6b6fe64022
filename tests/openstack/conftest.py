"""One site for all tests of a session (of each worker); a project of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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


@pytest.fixture
def fake_site(the_fake_site: Site) -> Iterator[Site]:
    """The site, where nothing goes wrong that the test did not ask for."""
    the_fake_site.proxy.begin()
    yield the_fake_site
    the_fake_site.proxy.begin()
    the_fake_site.faults()


@pytest.fixture
def project(fake_site: Site) -> Iterator[Project]:
    """A project that no other test sees."""
    found = fake_site.project()
    yield found
    found.clear()
