"""The commands of a life in a cloud: what they ask, what they refuse, and what they leave."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roost.errors import AccessError, UsageError
from roost.model.resources import Instance, State
from roost.model.summary import Summary
from roost.providers.fake.cloud import FakeCloud, Weather
from roost.providers.machine_rights import MachineRight
from roost.provision.machines import News
from roost.spec import Spec
from roost.ssh.browser import hand_over
from roost.ssh.paths import page
from tests.cli.calling import Roost
from tests.cli.full import NOWHERE, OWN_MACHINE, Full, done, ids, machines
from tests.cli.made import HERE, THERE

# --- up -------------------------------------------------------------------------------------------


def test_up_says_what_it_costs_and_rents_nothing_without_a_yes(
    cloud: Full, roost: Roost, write: Callable[..., Path]
) -> None:
    told = roost("up", write(THERE))
    assert (told.code, told.out) == (4, "")
    assert "  create 1 volume: data\n" in told.err
    # t3a.xlarge 0.1504, its 30 GB and the 100 GB at 0.08 / 730 hours, and the IPv4 0.005;
    # at full load 60 % of its 4 vCPUs at 0.05 are 0.12 more
    assert "it costs at most $0.2896 an hour; `roost plan` says more\n" in told.err
    assert "note: t3a.xlarge is burstable: above 40 % of its CPU" in told.err
    assert "next: the same with --yes" in told.err
    assert cloud.observe("there").empty


def test_up_says_why_it_makes_more_of_what_runs(
    cloud: Full, desktop: Callable[[], State], roost: Roost, write: Callable[..., Path]
) -> None:
    desktop()
    told = roost("up", write(f'{THERE}[[volumes]]\nname = "more"\nsize = "10GB"\n'))
    assert told.code == 4
    assert "  create 1 volume: more: not there yet\n" in told.err
    assert [v.name for v in cloud.observe("there").volumes] == ["data"]


def test_up_again_asks_nothing(cloud: Full, desktop: Callable[[], State], roost: Roost) -> None:
    before = ids(desktop())
    assert "costs" not in done(roost("up", "there", "--no-input"))
    assert ids(desktop()) == before
    del cloud


class Rights:
    """As OpenStack's: a right of each machine on itself, which the cloud sees delivered."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def begin(self, spec: Spec, state: State) -> "Rights":
        self.log.append(f"begin {spec.name} {len(state.instances)}")
        return self

    def right(self, instance: Instance, held: str) -> MachineRight:
        self.log.append(f"{instance.name} had {held}")
        return MachineRight(id="new", secrets={"server-right": b"hush"})

    def end(self, ready: frozenset[str]) -> tuple[str, ...]:
        self.log.append(f"end {sorted(ready)}")
        return ("an older right could not be deleted",)


def test_a_right_on_itself_is_brought_and_what_it_cannot_do_is_said(
    cloud: Full,
    desktop: Callable[[], State],
    roost: Roost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desktop()
    cloud.rights, sent = Rights(), []

    def hand_over(machines: object, instances: tuple[Instance, ...], part: Any, _: object) -> Any:
        sent.extend(part(one, "old", {}, {}) for one in instances)
        lost = "http://10.0.0.2:5000/v3: no route to host"
        return {i.name: News(i.name, "ready", "ready", trouble=lost) for i in instances}

    monkeypatch.setattr("roost.provision.deliver.hand_over", hand_over)
    said = done(roost("up", "there", "--no-input"))
    assert cloud.rights.log == ["begin there 1", "desktop had old", "end ['desktop']"]
    assert [(one.handover.right, one.secrets["server-right"]) for one in sent] == [("new", b"hush")]
    assert "note: an older right could not be deleted\n" in said
    assert (
        "note: desktop will be powered off when it stops by itself, and may go on costing:"
        " http://10.0.0.2:5000/v3: no route to host\n"
    ) in said
    assert "hush" not in said


# --- resize ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("there", "which machine?"),
        ("there --type m7i.large --cpus 4", "--type says all of a machine"),
        ("there --type m7i.larg", "m7i.larg"),
        ("there --cpus 4096", "4,096 vCPUs wanted, the largest"),
        ("there worker --cpus 4", "there is a desktop; only a cluster has a worker"),
    ],
)
def test_what_a_desktop_cannot_become(
    words: str, text: str, desktop: Callable[[], State], roost: Roost
) -> None:
    before = desktop()
    told = roost("resize", *words.split(), "--yes")
    assert (told.code, told.out) == (2, "")
    assert text in told.err
    assert desktop() == before


def test_a_cluster_is_resized_by_role(cluster: Callable[[], State], roost: Roost) -> None:
    before = cluster()
    told = roost("resize", "here", "--type", NOWHERE, "--yes")
    assert told.code == 2
    assert "here is a cluster: its head, or its workers?" in told.err
    assert "next: roost resize here worker --type ..." in told.err
    assert cluster() == before


def test_a_machine_that_runs_is_not_stopped_without_a_yes(
    desktop: Callable[[], State], roost: Roost
) -> None:
    before = desktop()
    told = roost("resize", "there", "--type", NOWHERE, "--no-input")
    assert told.code == 4
    assert "desktop is running, and has to be stopped for this" in told.err
    assert desktop() == before


def test_what_the_cloud_would_refuse_is_said_before_anything_stops(
    desktop: Callable[[], State], roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def check(*words: object) -> None:
        asked.append(words[1:])
        raise UsageError("desktop is x86_64")

    monkeypatch.setattr(Full, "check_type", check, raising=False)
    before = desktop()
    told = roost("resize", "there", "--type", NOWHERE, "--yes")
    assert (told.code, "desktop is x86_64" in told.err) == (2, True)
    assert asked == [("there", ("desktop",), NOWHERE)]
    assert desktop() == before


def test_a_resize_that_leaves_it_stopped(desktop: Callable[[], State], roost: Roost) -> None:
    done(roost("resize", "there", "--type", NOWHERE, "--no-start", "--yes"))
    assert machines(desktop()) == {"desktop": (NOWHERE, "stopped")}


def test_a_desktop_becomes_another_type(
    cloud: Full, desktop: Callable[[], State], roost: Roost
) -> None:
    before = desktop()
    told = roost("resize", "there", "--type", NOWHERE, "--yes")
    assert "there: desktop becomes m7i.2xlarge\n" in done(told)
    assert machines(desktop()) == {"desktop": (NOWHERE, "running")}
    assert ids(desktop()) == ids(before)
    assert desktop().volumes[0].id == before.volumes[0].id
    done(roost("up", "there"))  # by name: the type is in the record
    assert machines(desktop()) == {"desktop": (NOWHERE, "running")}
    assert cloud.lost == []


def test_workers_are_replaced_and_the_head_is_not(
    cloud: Full, cluster: Callable[[], State], roost: Roost
) -> None:
    before = ids(cluster())
    done(roost("resize", "here", "worker", "--type", NOWHERE, "--yes"))
    after = machines(cluster())
    # The names of the old ones are taken until they are gone.
    assert {after.pop("worker-3"), after.pop("worker-4")} == {(NOWHERE, "running")}
    assert after == {"head": ("m5a.large", "running")}
    assert ids(cluster())["head"] == before["head"]
    assert sorted(cloud.retired) == ["worker-1", "worker-2"]


@pytest.mark.parametrize("words", ["there", "here worker"])
def test_where_there_is_no_room_the_old_type_comes_back(
    words: str, cloud: Full, request: pytest.FixtureRequest, roost: Roost
) -> None:
    name = words.partition(" ")[0]
    look = request.getfixturevalue("desktop" if name == "there" else "cluster")
    before = machines(look())
    cloud.weather = Weather(delay=2, capacity={NOWHERE: 0})
    told = roost("resize", *words.split(), "--type", NOWHERE, "--yes")
    old = before["desktop" if name == "there" else "worker-1"][0]
    assert (told.code, told.out) == (1, "")
    assert f"m7i.2xlarge cannot be had now; going back to {old}\n" in told.err
    assert f"InsufficientInstanceCapacity: m7i.2xlarge; {name} is {old} again" in told.err
    assert sorted(machines(look()).values()) == sorted(before.values())
    after = machines(look())
    done(roost("up", name, "--no-input"))
    assert machines(look()) == after  # the record is the old one too
    assert cloud.lost == []


# --- restart --------------------------------------------------------------------------------------


def test_restart_in_a_cloud(cloud: Full, cluster: Callable[[], State], roost: Roost) -> None:
    before = ids(cluster())
    done(roost("restart", "here", "worker-2"))
    assert cloud.restarted == ("worker-2",)
    done(roost("restart", "here"))
    assert cloud.restarted == ("worker-2", "head", "worker-1", "worker-2")
    assert ids(cluster()) == before


def test_restart_on_your_own_machine(
    cloud: Full, cluster: Callable[[], State], roost: Roost, write: Callable[..., Path]
) -> None:
    """Its processes are stopped and started; those of the others go on."""
    cloud.name = "local"
    cloud.capabilities = OWN_MACHINE
    done(roost("up", write(HERE), "--yes"))
    before = {i.name: i.started for i in cluster().instances}
    done(roost("restart", "here", "worker-2"))
    after = {i.name: i.started for i in cluster().instances}
    assert {name for name in after if after[name] != before[name]} == {"worker-2"}
    assert {state for _, state in machines(cluster()).values()} == {"running"}
    assert cloud.restarted == ()


def test_restart_of_what_is_not_there_or_does_not_run(
    cluster: Callable[[], State], roost: Roost
) -> None:
    told = roost("restart", "here", "worker-9")
    assert (told.code, "here has no instance worker-9" in told.err) == (2, True)
    assert ". There are: head, worker-1, worker-2" in told.err
    done(roost("stop", "here"))
    told = roost("restart", "here", "head")
    assert (told.code, "head is not running" in told.err) == (1, True)
    assert "next: roost start here" in told.err
    assert machines(cluster())["head"][1] == "stopped"


# --- down -----------------------------------------------------------------------------------------


def test_down_keeps_data_and_up_finds_it(
    cloud: Full, desktop: Callable[[], State], roost: Roost
) -> None:
    volume = desktop().volumes[0].id
    told = done(roost("down", "there", "--keep-data", "--yes"))
    assert "it has cost $12.34 so far\n" in told
    assert "kept: volume data\n" in told
    assert "note: volume data is kept\n" in told
    assert [v.id for v in desktop().volumes] == [volume]
    done(roost("up", "there", "--yes"))
    assert [(v.id, v.state) for v in desktop().volumes] == [(volume, "attached")]
    assert cloud.lost == []


@pytest.mark.parametrize("verb", ["down", "park"])
def test_the_page_for_the_browser_goes_with_the_machine(
    desktop: Callable[[], State], roost: Roost, verb: str
) -> None:
    hand_over("there", "http://127.0.0.1:8888/?token=secret")
    assert page("there").exists()
    done(roost(verb, "there", "--yes"))
    assert not page("there").exists()


@pytest.mark.parametrize("word", ["data", "there"])
def test_down_with_the_data_that_was_named(
    word: str, cloud: Full, desktop: Callable[[], State], roost: Roost
) -> None:
    told = done(roost("down", "there", "--delete-data", word, "--yes"))
    assert "volume data" in told
    assert "nothing of there is left\n" in told
    assert desktop().empty
    assert cloud.lost == ["data"]


def test_down_of_what_is_parked_keeps_its_copies(
    desktop: Callable[[], State], roost: Roost
) -> None:
    done(roost("park", "there", "--yes"))
    told = done(roost("down", "there", "--yes"))
    assert "note: the snapshot of volume data is kept\n" in told
    assert "note: the image of desktop's disk is kept\n" in told
    done(roost("down", "there", "--delete-data", "data", "--yes"))
    assert (desktop().snapshots, len(desktop().images)) == ((), 1)
    done(roost("down", "there", "--delete-data", "there", "--yes"))
    assert desktop().empty


def test_down_asks_for_the_address_that_is_left_of_what_is_parked(
    cloud: Full, roost: Roost, write: Callable[..., Path]
) -> None:
    done(roost("up", write(THERE + '[access]\naddress = "fixed"\n'), "--yes"))
    done(roost("park", "there", "--yes"))
    told = roost("down", "there", "--no-input")
    assert "there: address desktop (203.0.113.0)\n" in told.err
    assert (
        "deleting there needs a yes; 203.0.113.0 would be released, and cannot be had back"
        in told.err
    )
    assert (told.code, len(cloud.observe("there").addresses)) == (4, 1)
    done(roost("down", "there", "--yes"))
    assert cloud.observe("there").addresses == ()


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("--delete-data data", 4, "deleting there, with the data of data needs a yes"),
        ("", 4, "deleting there needs a yes"),
        (
            "--delete-data dta --yes",
            2,
            "no data called dta. There are: data, desktop, there",
        ),
        ("--delete-data data --keep-data --yes", 2, "say the opposite of each other"),
    ],
)
def test_what_down_refuses(
    words: str, code: int, text: str, desktop: Callable[[], State], roost: Roost
) -> None:
    before = desktop()
    told = roost("down", "there", *words.split(), "--no-input")
    assert (told.code, told.out) == (code, "")
    assert text in told.err
    assert desktop() == before


def test_what_is_still_there_after_down_is_an_error(
    cloud: Full, desktop: Callable[[], State], roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    del desktop
    monkeypatch.setattr(Full, "remains", lambda *_: ("eni-1",), raising=False)
    told = roost("down", "there", "--yes", "--json")
    assert told.code == 1
    assert told.json["unexpected"] == ["eni-1"]
    assert "still there with the tag of there: eni-1" in told.err
    assert "or: roost audit" in told.err
    assert cloud.observe("there").instances == ()


# --- ls -------------------------------------------------------------------------------------------


class Refusing(FakeCloud):
    """It lets nobody in."""

    def summaries(self) -> tuple[Summary, ...]:
        raise AccessError("the token has expired", next="aws sso login")


def test_ls_says_what_it_could_not_see(
    cloud: Full, desktop: Callable[[], State], roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    del desktop
    refusing = Refusing(name="aws", region="eu-west-1")
    monkeypatch.setattr("roost.app.resolve.listers", lambda *_: (refusing, cloud))
    for words in ((), ("--json",)):
        told = roost("ls", *words)
        assert told.code == 3
        assert "there" in told.out
        assert "cannot list aws eu-west-1: the token has expired" in told.err
    assert [(row["name"], row["states"]) for row in told.json] == [("there", {"running": 1})]


def test_ls_where_nothing_could_be_seen(roost: Roost, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not say that nothing is there."""
    monkeypatch.setattr(
        "roost.app.resolve.listers", lambda *_: (Refusing(name="aws", region="eu-west-1"),)
    )
    told = roost("ls")
    assert (told.code, told.out) == (3, "")
    assert "nothing is here yet" not in told.err


# --- how they are reached -------------------------------------------------------------------------


def test_the_ssh_configuration_comes_and_goes(
    desktop: Callable[[], State], roost: Roost, alone: Path
) -> None:
    del desktop
    place = alone / "ssh" / "names" / "there"
    assert "Host roost-there" in (place / "config").read_text()
    assert "HostName 192.0.2.7" in (place / "config").read_text()
    done(roost("down", "there", "--yes"))
    assert not place.exists()


def test_a_machine_that_the_file_has_no_more_is_not_deleted_without_a_yes(
    cloud: Full, roost: Roost, write: Callable[..., Path]
) -> None:
    room = 'name = "room"\nkind = "classroom"\ncloud = "aws"\nseats = {}\n[machine]\ncpus = 2\n'
    room += '[aws]\nregion = "us-east-1"\n'
    done(roost("up", write(room.format(3)), "--yes"))
    told = roost("up", write(room.format(2)), "--no-input")
    assert told.code == 4
    assert "seat-3: not in the file any more; the disk it boots from would be deleted" in told.err
    assert sorted(machines(cloud.observe("room"))) == ["seat-1", "seat-2", "seat-3"]
    done(roost("up", write(room.format(2)), "--yes"))
    assert sorted(machines(cloud.observe("room"))) == ["seat-1", "seat-2"]


def test_an_address_that_the_file_has_no_more_is_not_released_without_a_yes(
    cloud: Full, roost: Roost, write: Callable[..., Path], types: Callable[[str], None]
) -> None:
    fixed = write(THERE + '[access]\naddress = "fixed"\n', "fixed.toml")
    done(roost("up", fixed, "--yes"))
    changing = write(THERE, "changing.toml")
    question = (
        "address desktop (203.0.113.0): not in the file any more;"
        " it would be released, and cannot be had back"
    )
    told = roost("up", changing, "--no-input")
    assert (told.code, question in told.err) == (4, True)
    assert "desktop (running)" in told.err
    types("n\n")
    told = roost("up", changing)
    assert (told.code, f"{question}. Continue?" in told.err) == (4, True)
    assert [a.name for a in cloud.observe("there").addresses] == ["desktop"]
    done(roost("up", fixed, "--no-input"))  # the record is as it was, and nothing is lost by it
    done(roost("up", changing, "--yes"))
    assert cloud.observe("there").addresses == ()
    assert machines(cloud.observe("there"))["desktop"][1] == "running"


def test_the_seat_that_goes_is_asked_for_with_its_address(
    cloud: Full, roost: Roost, write: Callable[..., Path]
) -> None:
    room = 'name = "room"\nkind = "classroom"\ncloud = "aws"\nseats = {}\n[machine]\ncpus = 2\n'
    room += '[aws]\nregion = "us-east-1"\n[access]\naddress = "fixed"\n'
    done(roost("up", write(room.format(4)), "--yes"))
    told = roost("up", write(room.format(2)), "--no-input")
    assert told.code == 4
    assert "seat-3, seat-4: not in the file any more; the disks they boot from" in told.err
    assert (
        "addresses seat-3 (203.0.113.3), seat-4 (203.0.113.4): not in the file any more;"
        " they would be released, and cannot be had back" in told.err
    )
    assert len(cloud.observe("room").addresses) == 4
    done(roost("up", write(room.format(2)), "--yes"))
    assert sorted(a.name for a in cloud.observe("room").addresses) == ["seat-1", "seat-2"]


def test_without_boto3_what_runs_here_is_found_all_the_same(
    roost: Roost, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert roost("ls").code == 0
    told = roost("show", "foo")
    assert (told.code, "no such name: foo" in told.err) == (2, True)
