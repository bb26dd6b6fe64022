"""A class by the command line: one seat or all of them."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roost.provision.machines import News
from roost.spec.people import read_people
from tests.cli.calling import Roost, all_ready
from tests.cli.full import Full, done, machines

PEOPLE = """\
Seat;Name;Email;SSH_Key
1;Ada Lovelace;ada@example.org;{}
seat-2;Grace Hopper;;
3;;;{} ada@laptop
"""

ROOM = """\
name = "room"
kind = "classroom"
cloud = "aws"
seats = 3
[aws]
region = "us-east-1"
[machine]
cpus = 2
[[volumes]]
name = "data"
size = "10GB"
"""


def states(cloud: Full) -> list[str]:
    return [state for _, (_, state) in sorted(machines(cloud.observe("room")).items())]


def test_one_seat_is_stopped_started_and_restarted_by_its_name(
    cloud: Full, roost: Roost, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    done(roost("up", write(ROOM), "--yes"))
    told = done(roost("stop", "room/seat-2"))
    assert "room/seat-2 is stopped; `roost start room/seat-2` brings it back" in told
    assert states(cloud) == ["running", "stopped", "running"]
    assert "room/seat-2 is stopped" in done(roost("stop", "room/seat-2"))  # again changes nothing
    handed = all_ready(monkeypatch)
    done(roost("start", "room/seat-2", "--no-input"))
    assert states(cloud) == ["running"] * 3
    assert handed == ["seat-2"]  # the others are left alone
    done(roost("restart", "room/seat-3"))
    assert cloud.restarted == ("seat-3",)
    assert handed == ["seat-2", "seat-3"]
    done(roost("restart", "room", "seat-1"))  # the old form
    assert cloud.restarted == ("seat-3", "seat-1")


@pytest.mark.parametrize("verb", ["stop", "start", "restart", "open", "logs"])
def test_a_seat_that_is_not_there_is_named_with_those_that_are(
    verb: str, cloud: Full, roost: Roost, write: Callable[..., Path]
) -> None:
    done(roost("up", write(ROOM), "--yes"))
    told = roost(verb, "room/seat-9")
    assert (told.code, "seat-9" in told.err) == (2, True), told.err
    assert states(cloud) == ["running"] * 3
    if verb in ("restart", "logs"):
        both = roost(verb, "room/seat-1", "seat-2")
        assert (both.code, "two machines are named" in both.err) == (2, True)


# --- people and spares ---------------------------------------------------------------------------


def key(number: int) -> str:
    """A key as OpenSSH has them, with a number in it."""
    raw = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([number]) * 32
    return f"ssh-ed25519 {base64.b64encode(raw).decode()}"


def handed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The documents that machines get, by machine."""
    found: dict[str, str] = {}

    def hand_over(_: object, instances: Any, parts: Any, boots: object) -> dict[str, Any]:
        del boots
        for one in instances:
            found[one.name] = parts(one, "", {}, {}).handover.document()
        return {i.name: News(i.name, "ready", "ready") for i in instances}

    monkeypatch.setattr("roost.provision.deliver.hand_over", hand_over)
    return found


def test_each_key_goes_to_its_own_seat_and_no_name_leaves_this_computer(
    cloud: Full,
    roost: Roost,
    write: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    documents = handed(monkeypatch)
    room = write(ROOM.replace("seats = 3", 'seats = 3\nspares = 1\npeople = "people.csv"'))
    table = room.parent / "people.csv"
    table.write_text(PEOPLE.format(key(1), key(3)), encoding="utf-8-sig")
    done(roost("up", room, "--yes"))
    assert sorted(documents) == ["seat-1", "seat-2", "seat-3", "seat-4"]  # the last one is spare
    holders = {
        number: [name for name, text in documents.items() if key(number) in text]
        for number in (1, 3)
    }
    assert holders == {1: ["seat-1"], 3: ["seat-3"]}
    assert f"{key(3)} seat-3" in documents["seat-3"]  # not the comment that somebody wrote
    state = cloud.observe("room")
    kept = str(state) + "".join(documents.values())
    assert not [word for word in ("Ada", "Hopper", "example.org", "laptop") if word in kept]
    # Without the table, say on another computer, whoever is let in stays so.
    table.rename(tmp_path / "away.csv")
    told = done(roost("up", "room", "--yes"))
    assert "seats keep the keys they have" in told
    assert "authorized_keys3" not in documents["seat-1"]
    # Who is taken out of the table comes in no more.
    table.write_text("seat,name\n1,Ada\n")
    done(roost("up", "room", "--yes"))
    assert "authorized_keys3" in documents["seat-1"]
    assert key(1) not in documents["seat-1"]


def test_all_that_is_wrong_in_the_table_is_said_at_once(
    roost: Roost, write: Callable[..., Path]
) -> None:
    room = write(ROOM.replace("seats = 3", 'seats = 3\npeople = "people.csv"'))
    table = room.parent / "people.csv"
    table.write_text(
        "seat,name,email,ssh_key\n1,Ada,no mail,\n4,Bo,,\n2,Cy,,ssh-rsa nonsense\n3,,,\n3,,,\n"
        ",x,,\n1,a,b,c,d\n"
    )
    told = roost("plan", room)
    assert told.code == 2
    for text in (
        "line 2: 'no mail' is no address of mail",
        "line 3: seat '4' is none of 1 to 3",
        "line 4: not a public key of SSH",
        "line 6: seat 3 is taken twice",
        "line 7: seat '' is none of 1 to 3",
        "line 8: 5 fields",
    ):
        assert text in told.err
    for content, text in (
        (b"\xff\xfe", "not a text in UTF-8"),
        (b"seat,phone\n", "the columns are seat, phone"),
        (b"", "the columns are"),
        (b"seat\n" + b"1\n" * 2_000_000, "larger than any class"),
    ):
        table.write_bytes(content)
        with pytest.raises(ValueError, match=text):
            read_people(table, 3)
    table.unlink()
    assert "people.csv: cannot be read" in roost("plan", room).err
