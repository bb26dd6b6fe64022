"""`roost image` where a cloud makes and keeps no images: it says so, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.providers.aws.provider import AwsProvider
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
