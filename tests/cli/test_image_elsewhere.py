"""`roost image` where a cloud makes and keeps no images: it says so, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from roost.images import library
from roost.providers.aws.provider import AwsProvider
from roost.providers.openstack.images.store import GlanceImages
from roost.session import Session
from tests.cli.calling import Roost


@pytest.fixture
def on_this_machine(alone: Path) -> None:
    """A name on the user's own machine."""
    (alone / "local" / "ndvi").mkdir(parents=True)


@pytest.mark.usefixtures("on_this_machine")
@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("bake", "ndvi"), "make an image"),
        (("bake", "ndvi", "--cloud", "local", "--yes"), "make an image"),
        (("ls", "--cloud", "local"), "list images"),
        (("share", "ndvi", "111122223333", "--cloud", "local"), "share an image"),
        (("rm", "ndvi", "--cloud", "local", "--yes"), "delete an image"),
    ],
)
def test_a_cloud_without_images_says_so(roost: Roost, words: tuple[str, ...], what: str) -> None:
    refused = roost("image", *words)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines()[0] == f"roost: {what}: local cannot do that"


@pytest.mark.usefixtures("alone")
def test_where_no_cloud_has_images_the_region_is_asked_for(
    roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AwsProvider, "is_configured", lambda _: False)
    refused = roost("image", "ls")
    assert (refused.code, refused.out) == (2, "")
    assert "no region of a cloud that keeps images is known here" in refused.err
    assert "--region eu-central-1" in refused.err


@pytest.mark.usefixtures("alone")
def test_a_site_that_takes_no_copy_says_so_before_the_price(
    roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = SimpleNamespace(name="stars", state="completed", region="here", size_gib=8)

    def libraries(session: Session, _: str) -> tuple[GlanceImages]:
        region, unused = session.place.region or "here", cast("Any", None)
        return (GlanceImages(unused, region, unused, unused, unused, unused),)

    monkeypatch.setattr(GlanceImages, "all", lambda _: (image,))
    monkeypatch.setattr(library, "libraries", libraries)
    refused = roost("image", "copy", "stars", "--region", "there")
    assert refused.code == 2
    assert "one site of OpenStack does not take images of another" in refused.err
