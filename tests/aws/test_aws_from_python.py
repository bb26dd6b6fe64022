"""``RoostCluster(...)`` of a program, against the account: price, question, up, found, end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.app.client import Reached
from roost.app.ranges import rented_workers
from roost.dask import RoostCluster, launch
from roost.dask.wish import Wish
from roost.errors import NeedsConfirmationError, UsageError
from roost.machine import work
from roost.notebook.dask.ranges import Range
from tests.aws.conftest import Account
from tests.aws.test_cli import roost  # noqa: F401 - the fixture
from tests.aws.test_following import Head, head, wait_until  # noqa: F401 - a fixture
from tests.cli.calling import Roost

PROJECT = Path(__file__).parents[1] / "life" / "environment"
WISH = Wish(n_workers=2, cpus=4, memory="16GiB", cloud="aws", region="eu-central-1")


@pytest.fixture
def program(
    roost: Roost,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program in a project's folder."""
    del roost
    shutil.copytree(PROJECT, tmp_path / "sky")
    monkeypatch.chdir(tmp_path / "sky")
    monkeypatch.delenv("ROOST_NAME", raising=False)


@pytest.mark.usefixtures("program")
def test_nothing_is_rented_without_a_yes(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NeedsConfirmationError) as refused:
        launch.bring_up(None, WISH, confirm=True)
    assert "this rents machines for $0.5442 an hour" in refused.value.what
    assert refused.value.next == "confirm=False in RoostCluster(...)"
    assert account.left() == {}
    assert "create 2 instances: worker-1, worker-2" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("program")
def test_with_a_yes_it_is_made_found_scaled_and_ended(account: Account) -> None:
    made = launch.bring_up(None, WISH, confirm=False)
    assert (made.name, made.new, made.here) == ("sky", True, False)
    assert not launch.bring_up(None, WISH, confirm=False).new
    found = launch.find_far("sky")
    assert found is not None
    assert not found.new
    assert launch.find_far("moon") is None
    launch.scale(made, 1, confirm=False)
    with pytest.raises(NeedsConfirmationError) as refused:
        launch.scale(made, 3, confirm=True)
    assert "confirm=False in RoostCluster(...)" in refused.value.next
    launch.end(made)
    assert account.left() == {}


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real scheduler with a certificate, in place of the tunnel to one."""
    from distributed import LocalCluster
    from distributed.security import Security

    security = Security.temporary()
    with LocalCluster(
        n_workers=1,
        processes=False,
        protocol="tls",
        security=security,
        dashboard_address=None,
    ) as cluster:
        address = cluster.scheduler_address
        tls = (security.tls_ca_file, security.tls_client_cert, security.tls_client_key)
        way = Reached("sky", address, "http://127.0.0.1:1/status?token=x", tls)
        monkeypatch.setattr(launch, "reached", lambda made: way)
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("program", "scheduler")
def test_who_made_it_ends_it(account: Account) -> None:
    words = {"n_workers": 1, "type": "m5.large", "cloud": "aws", "region": "eu-central-1"}
    with RoostCluster("sky", **words, confirm=False) as cluster:  # type: ignore[arg-type]
        assert cluster.get_client().submit(sum, [1, 2]).result() == 3
        assert cluster.dashboard_link.endswith("?token=x")
        assert "instances" in account.left()
        with RoostCluster("sky") as again:  # found in the cloud, by its name
            assert len(again.observed) == 1
        assert "instances" in account.left()
    assert account.left() == {}
    kept = RoostCluster("sky", **words, confirm=False, shutdown_on_close=False)  # type: ignore[arg-type]
    kept.close()
    assert "instances" in account.left()
    RoostCluster("sky").close(shutdown=True)
    assert account.left() == {}


@pytest.mark.slow
@pytest.mark.usefixtures("program", "scheduler")
def test_workers_follow_the_work_while_the_program_wants_it(
    account: Account,
    head: Head,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The range is the one that `roost scale` sets and `roost follow` acts on."""
    monkeypatch.setattr("roost.dask.following.EVERY", 0.05)

    def rented() -> int:
        return len(rented_workers(account.roost().observe("sky")))

    words = {"n_workers": 1, "type": "m5.large", "cloud": "aws", "region": "eu-central-1"}
    head.says(2, {"worker-1": 0})
    with RoostCluster("sky", **words, confirm=False) as cluster:  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="a range of rented machines needs its end"):
            cluster.adapt()
        adaptive = cluster.adapt(minimum=0, maximum=2, interval=0.05)
        assert adaptive.range == Range(minimum=0, maximum=2, by="cluster.adapt()")
        wait_until(lambda: rented() == 2)
        told = work.answer(head.machine, ["look", "ben", "60", "2"], head.now)
        assert (adaptive.state, "follower" in told) == ("running", True)
        adaptive.stop()
        assert (adaptive.state, adaptive.range, rented()) == ("stopped", None, 2)
        assert "sky: 1 -> 2 workers (the work needs 2)" in capsys.readouterr().err
        cluster.adapt(minimum=0, maximum=2, interval=0.05)
        launch.scale(cluster._made, 1, confirm=False)  # as `roost scale sky 1` does elsewhere
        wait_until(lambda: cluster._following.state == "stopped")
    assert account.left() == {}
