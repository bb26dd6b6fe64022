"""Which providers there are, and what is said where one is not in this version."""

import pytest

from roost.app import resolve
from roost.app.audit import audited
from roost.app.doctor import examine
from roost.app.rights import grant
from roost.cli.terminal import session as open_session
from roost.errors import UsageError
from roost.model.place import Place
from roost.providers.registry import PROVIDERS, providers
from roost.providers.rules import check_region, rules_of
from roost.session import Session
from roost.spec import from_json

NOT_YET = 'running on "aws" is not in this version yet'


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session that asks for AWS, of a roost that has only the own machine."""
    monkeypatch.setattr("roost.providers.registry.PROVIDERS", ("local",))
    return open_session(Place(cloud="aws"))


def test_each_has_the_name_of_its_folder() -> None:
    assert tuple(provider.name for provider in providers()) == PROVIDERS
    assert [provider.name for provider in providers("local")] == ["local"]


@pytest.mark.parametrize(
    "ask",
    [
        resolve.listers,
        resolve.clouds,
        lambda session: resolve.locate(session, "ndvi"),
        lambda session: tuple(examine(session, None)),
        lambda session: audited(session, every=False),
        lambda session: grant(session, None, "user"),
    ],
)
def test_a_cloud_that_is_not_in_this_version_is_not_passed_over(aws: Session, ask) -> None:
    with pytest.raises(UsageError) as caught:
        ask(aws)
    assert caught.value.what == NOT_YET
    assert caught.value.next == 'cloud = "local" in the file'


def test_a_region_that_there_is_not() -> None:
    check_region("eu-west-1", "aws")
    with pytest.raises(UsageError, match="AWS has no region eu-wst-1"):
        check_region("eu-wst-1", "aws")


SPEC = """{"name": "stars", "kind": "desktop", "cloud": "aws", "machine": {"type": "m7i.xlarge"},
"aws": {"region": "eu-central-1"}}"""


def test_where_a_spec_will_be() -> None:
    spec = from_json(SPEC)
    there = rules_of("aws")
    assert (there.place(spec), there.price_region(spec)) == ("aws (eu-central-1)", "eu-central-1")
    here = rules_of("local")
    assert (here.place(spec), here.price_region(spec)) == ("your own machine", None)
    assert (there.rents, here.rents) == (True, False)
