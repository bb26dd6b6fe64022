"""``roost plan --diff``: against what is there, on your own machine and on a cloud in memory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from roost.plan.up import plan_stop, plan_up
from roost.providers.fake.cloud import FakeCloud
from roost.reconcile.loop import reconcile
from tests.cli.calling import Roost
from tests.cli.made import HERE, THERE, put, wanted


class TestYourOwnMachine:
    def test_nothing_is_there(self, roost: Roost, write: Callable[..., Path]) -> None:
        file = write(HERE)
        assert roost("plan", file, "--diff").out == roost("plan", file).out

    def test_stopped_and_missing(
        self, roost: Roost, write: Callable[..., Path], alone: Path
    ) -> None:
        file = write(HERE)
        put(alone, wanted(file), "head", "worker-1")
        texts = [step["text"] for step in roost("plan", file, "--diff", "--json").json["steps"]]
        assert texts == ["create 1 instance: worker-2", "start 2 instances: head, worker-1"]
        told = roost("plan", file, "--diff").out
        assert f"  1. {texts[0]}: the file wants 2 workers, 1 is there\n" in told
        assert f"  2. {texts[1]}: stopped now\n" in told

    def test_too_many_go_last_and_the_highest_number_first(
        self, roost: Roost, write: Callable[..., Path], alone: Path
    ) -> None:
        file = write(HERE)
        put(alone, wanted(file), "head", "worker-1", "worker-2", "worker-3", "worker-4")
        steps = roost("plan", file, "--diff", "--json").json["steps"]
        assert [(step["verb"], step["kind"], step["names"]) for step in steps] == [
            ("start", None, ["head", "worker-1", "worker-2"]),
            ("delete", "instance", ["worker-3", "worker-4"]),
        ]

    def test_a_changed_file_is_recorded_and_said(
        self, roost: Roost, write: Callable[..., Path], alone: Path
    ) -> None:
        put(alone, wanted(write(HERE)), "head", "worker-1", "worker-2", fingerprint="of before")
        told = roost("plan", write(HERE + "[local]\nthreads = 2\n"), "--diff").out
        why = "the settings saved there are other ones"
        assert f"  1. save the file's settings in the cloud: {why}\n" in told
        assert "set up before the file changed: head, worker-1, worker-2" in told

    def test_by_name_the_kept_spec_is_planned(
        self, roost: Roost, write: Callable[..., Path], alone: Path
    ) -> None:
        file = write(HERE)
        put(alone, wanted(file), "head")
        by_name = roost("plan", "here", "--diff")
        assert by_name.out == roost("plan", file, "--diff").out
        assert "create 2 instances: worker-1, worker-2" in by_name.out

    def test_it_changes_nothing(
        self, roost: Roost, write: Callable[..., Path], alone: Path
    ) -> None:
        file = write(HERE)
        put(alone, wanted(file), "head")
        before = sorted((path, path.stat().st_mtime_ns) for path in alone.rglob("*"))
        assert roost("plan", file, "--diff").code == 0
        assert sorted((path, path.stat().st_mtime_ns) for path in alone.rglob("*")) == before


class TestAWS:
    @pytest.fixture
    def cloud(self, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
        cloud = FakeCloud()
        for way in ("connect", "locate"):
            monkeypatch.setattr(f"roost.app.resolve.{way}", lambda *_: cloud)
        return cloud

    def test_all_is_there(self, roost: Roost, write: Callable[..., Path], cloud: FakeCloud) -> None:
        file = write(THERE)
        want = wanted(file)
        reconcile(cloud, "there", lambda have, _: plan_up(want, have))
        told = roost("plan", file, "--diff").out
        assert "It runs as the file says; nothing to do.\n" in told
        assert "roost up will" not in told
        plan = roost("plan", file, "--diff", "--json").json
        assert (plan["steps"], plan["waiting"]) == ([], [])
        # What it costs is what all of it costs, not what would be new.
        assert plan["cost"] == roost("plan", file, "--json").json["cost"]

    def test_a_volume_that_left_the_file_stays(
        self, roost: Roost, write: Callable[..., Path], cloud: FakeCloud
    ) -> None:
        want = wanted(write(THERE))
        reconcile(cloud, "there", lambda have, _: plan_up(want, have))
        told = roost("plan", write(THERE.partition("[[volumes]]")[0]), "--diff").out
        assert "volume data is not in the file any more; it is kept" in told
        assert "delete" not in told

    def test_what_is_on_its_way_is_waited_for(
        self, roost: Roost, write: Callable[..., Path], cloud: FakeCloud
    ) -> None:
        file = write(THERE)
        for step in plan_up(wanted(file), cloud.observe("there")).steps:
            cloud.apply("there", step)
        told = roost("plan", file, "--diff").out
        assert "  - and wait for: desktop" in told
        assert roost("plan", file, "--diff", "--json").json["waiting"][0] == "desktop"

    def test_a_desktop_that_was_stopped_is_started(
        self, roost: Roost, write: Callable[..., Path], cloud: FakeCloud
    ) -> None:
        file = write(THERE)
        want = wanted(file)
        reconcile(cloud, "there", lambda have, _: plan_up(want, have))
        reconcile(cloud, "there", lambda have, _: plan_stop(have))
        (step,) = roost("plan", file, "--diff", "--json").json["steps"]
        assert step["text"] == "start 1 instance: desktop"

    def test_what_changed_and_nothing_else(
        self, roost: Roost, write: Callable[..., Path], cloud: FakeCloud
    ) -> None:
        """A rule more and a volume twice as large: 100 GB x 0.08 are 8 USD a month."""
        want = wanted(write(THERE))
        reconcile(cloud, "there", lambda have, _: plan_up(want, have))
        more = '[access]\nssh = ["me", "192.0.2.0/24"]\n'
        told = roost("plan", write(THERE + more), "--diff")
        assert "open port 22 from 192.0.2.0/24" in told.out
        assert "create" not in told.out
        assert "The price stays: at most $0.2896 an hour while it runs, $0.0142 " in told.out
        file = write(THERE.replace("100GB", "200GB") + more)
        told = roost("plan", file, "--diff")
        assert told.out.partition("WHILE")[2].splitlines()[:3] == [
            " IT IS      AN HOUR NOW     AN HOUR THEN  MORE A MONTH",
            "running      at most $0.2896  at most $0.3006        +$8.00",
            "stopped              $0.0142          $0.0252        +$8.00",
        ]
        assert "PARKED" not in told.out
        assert "PARKED" in roost("plan", file, "--diff", "--details").out
        change = roost("plan", file, "--diff", "--json").json["change"]
        assert change["now"]["stopped_hour"]["usd"] == pytest.approx(130 * 0.08 / 730)
        assert change["then"]["stopped_hour"]["usd"] == pytest.approx(230 * 0.08 / 730)
        # A volume stays as large as it is and is kept, and a machine keeps its type.
        for old, new in (
            ("100GB", "50GB"),
            ('name = "data"', 'name = "other"'),
            ("cpus = 4", "cpus = 8"),
        ):
            told = roost("plan", write(THERE.replace(old, new) + more), "--diff").out
            if "other" in new:
                assert "stopped              $0.0142          $0.0252        +$8.00" in told
            else:
                assert "The price stays: at most $0.2896 an hour" in told, told
