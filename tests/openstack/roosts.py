"""How tests open roost's cloud at a project of the site, and how they type commands there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from roost.providers.openstack import session
from roost.providers.openstack.client import Site
from roost.providers.openstack.cloud import OpenStackCloud
from tests.aws.conftest import KEY
from tests.openstack.site import CLOUD, Project


def opener(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], OpenStackCloud]:
    """``open()`` is a new roost, which remembers nothing of the last."""
    for key, value in project.environment(folder).items():
        monkeypatch.setenv(key, value)
    return lambda: OpenStackCloud(
        site=Site(partial(session.connect, CLOUD, None)),
        region=CLOUD,
        caller=lambda: "203.0.113.7/32",
        public_key=lambda: KEY,
        locks=folder / "locks",
    )
