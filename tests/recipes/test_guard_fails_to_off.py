"""The guard on a sick machine: a full or read-only disk, a damaged memory, a wrong clock.

And the last resort, which ends a machine whose guard does nothing at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.machine import extend, guard, idle_policy, limits, memory
from roost.machine.common import Machine, read, write
from roost.machine.idle_policy import Memory, Rules, Seen, judge
from roost.recipes.programs import system
from roost.recipes.user_data import MachineBudget, MachineFacts, machine_files
from tests.recipes.conftest import tell_facts

END = 1_804_878_000  # 2027-03-12 19:00 UTC
ENDS = {"role": "desktop", "end": "2027-03-12T19:00:00+00:00"}
DISK, RUN = "/var/lib/roost", "/run/roost"


def full(machine: Machine, *folders: str) -> None:
    """Make these folders take no file, for root too."""
    for folder in folders:
        place = machine.at(folder)
        if place.is_dir():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")


def minutes_until_off(machine: Machine, up: float = 60.0, most: int = 40) -> int:
    """Let the guard look each minute from the end time on; ``most`` if it never says stop."""
    for minute in range(most):
        seen = Seen(boot="b", up=up + 60.0 * minute, wall=END + 60.0 * minute, busy="work")
        if guard.tick(machine, seen).stop:
            return minute
    return most


@pytest.mark.parametrize("folders", [(), (DISK,), (DISK, "/var/log"), (DISK, RUN, "/var/log")])
def test_the_end_holds_on_a_disk_that_takes_nothing(
    machine: Machine, folders: tuple[str, ...]
) -> None:
    tell_facts(machine, **ENDS)
    full(machine, *folders)
    assert minutes_until_off(machine) == 9


@pytest.mark.parametrize("folders", [(), (DISK,), (DISK, "/var/log")])
def test_idleness_and_warnings_too(machine: Machine, folders: tuple[str, ...]) -> None:
    tell_facts(machine, role="desktop", idle=1800)
    full(machine, *folders)
    verdicts = [
        guard.tick(machine, Seen(boot="b", up=60.0 * minute, wall=END + 60.0 * minute))
        for minute in range(32)
    ]
    assert [n for n, verdict in enumerate(verdicts) if verdict.notices] == [20, 30]
    assert [n for n, verdict in enumerate(verdicts) if verdict.stop] == [30, 31]


def test_what_the_disk_did_not_take_comes_to_it_later(machine: Machine) -> None:
    tell_facts(machine, role="desktop", idle=1800)
    guard.tick(machine, Seen(boot="b", up=60.0, wall=END + 60.0))
    machine.at(DISK).rename(machine.at("/var/lib/away"))
    full(machine, DISK)
    guard.tick(machine, Seen(boot="b", up=120.0, wall=END + 120.0))
    assert (read(machine.at(memory.RUN))["up"], memory.load(machine).up) == (120.0, 120.0)
    machine.at(DISK).unlink()
    machine.at("/var/lib/away").rename(machine.at(DISK))
    assert memory.load(machine).up == 120.0
    guard.tick(machine, Seen(boot="b", up=180.0, wall=END + 180.0))
    assert read(machine.at(memory.DISK))["up"] == 180.0
    assert not machine.at(memory.RUN).exists()


DAMAGED = [
    b"",
    b"\0" * 300,
    b"[]",
    b'{"spent": 1.0',
    b'{"spent": "1"}',
    b'{"spent": NaN}',
    b'{"spent": null}',
    b'{"told": [1]}',
    b'{"told": {"end": "x"}}',
    b'{"boot": 7}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_memory_counts_as_a_budget_used_up(machine: Machine, content: bytes) -> None:
    budget = {"usd": 5.0, "at_end": "stop", "running": 1.0, "stopped": 0.0}
    tell_facts(machine, role="desktop", budget=budget)
    machine.at(memory.DISK).parent.mkdir(parents=True, exist_ok=True)
    machine.at(memory.DISK).write_bytes(content)
    assert minutes_until_off(machine) == 9
    note = machine.at(guard.NOTE).read_text()
    assert note == "it stopped by itself: the record of what it has spent is damaged\n"

    # More time does not say what was spent; a new budget counts from now.
    extend.extend(machine, 7200, END)
    assert minutes_until_off(machine, up=700.0) == 9
    extend.budget(machine, 9.0)
    assert extend.extend(machine, 0, END, money=True)["budget_left_usd"] > 8
    assert minutes_until_off(machine, up=1300.0) == 40


def test_a_damaged_memory_ends_no_machine_without_a_budget(machine: Machine) -> None:
    tell_facts(machine, role="desktop", idle=1800)
    write(machine.at(memory.DISK), "{")
    assert minutes_until_off(machine) == 40


def test_extending_says_when_it_can_keep_nothing(machine: Machine) -> None:
    tell_facts(machine, **ENDS)
    full(machine, DISK, RUN)
    with pytest.raises(OSError, match=r"guard\.lock|run/roost"):
        extend.extend(machine, 7200, END)


# --- limits of the file that change --------------------------------------------------------------


def launched(machine: Machine, **facts: object) -> None:
    tell_facts(machine, role="desktop", **{"idle": None, "end": None, "budget": None, **facts})


def test_a_machine_that_runs_takes_the_limits_of_the_file_over(machine: Machine) -> None:
    launched(machine, budget={"usd": 300.0, "running": 1.0})
    limits.bring(machine, {"idle": None, "end": None, "budget": {"usd": 300.0, "running": 1.0}})
    write(machine.at(memory.DISK), {"spent": 250.0, "early": True})
    less = {"usd": 200.0, "running": 1.0}
    assert limits.bring(machine, {"idle": 900, "end": ENDS["end"], "budget": less})
    facts = machine.facts
    assert (facts["idle"], facts["end"], facts["budget"]) == (900, ENDS["end"], less)
    assert machine.at(memory.LIMITS).read_text() == f"{END} 720000\n"
    assert minutes_until_off(machine) == 9  # 250 of 200 dollars
    assert not limits.bring(machine, {"idle": 900, "end": ENDS["end"], "budget": less})


def test_what_was_extended_stays_until_the_file_says_something_else_of_it(
    machine: Machine,
) -> None:
    same = {"idle": 1800, "end": ENDS["end"], "budget": {"usd": 5.0, "running": 1.0}}
    launched(machine, **same)
    limits.bring(machine, same)
    extend.budget(machine, 9.0)
    extend.extend(machine, 7200, END - 60)
    limits.bring(machine, same)
    assert machine.facts["budget"]["usd"] == 9.0
    assert memory.load(machine).end == END + 7200
    limits.bring(machine, {**same, "idle": 3600})
    assert memory.load(machine).end == END + 7200
    limits.bring(machine, {**same, "idle": 3600, "end": "2027-03-12T20:00:00+00:00"})
    assert memory.load(machine).end is None
    assert machine.at(memory.LIMITS).read_text().startswith(f"{END + 3600} ")
    assert machine.facts["budget"]["usd"] == 9.0


# --- the clock -----------------------------------------------------------------------------------

RATES = Rules(usd=1e9, running=1.0, stopped=0.1)
HOUR = 3600.0
YEARS = 5 * 365 * 86400.0


def lives(boots: list[tuple[int, int, float]]) -> Memory:
    """Live through boots of (hours off before it, hours that it runs, error of its clock)."""
    kept, true = Memory(), float(END)
    for number, (off, on, error) in enumerate(boots):
        true += off * HOUR
        for minute in range(0, on * 60 + 1, 10):
            wall = true + minute * 60 + error
            kept, _ = judge(RATES, kept, Seen(boot=str(number), up=minute * 60.0, wall=wall))
        true += on * HOUR
    return kept


def test_a_boot_with_a_wrong_clock_leaves_no_bill() -> None:
    wrong = lives([(0, 1, 0), (10, 1, YEARS)])
    assert wrong.spent > 4000  # as far as the machine can know
    assert round(lives([(0, 1, 0), (10, 1, YEARS), (10, 1, 0)]).spent, 6) == 3 * 1.0 + 20 * 0.1


@given(
    st.lists(
        st.tuples(
            st.integers(0, 48), st.integers(1, 3), st.sampled_from([0, YEARS, -YEARS, 7200.0])
        ),
        max_size=5,
    )
)
def test_the_bill_is_right_once_the_clock_is(boots: list[tuple[int, int, float]]) -> None:
    boots = [(0, 1, 0.0), *boots, (1, 1, 0.0)]
    off, on = sum(b[0] for b in boots), sum(b[1] for b in boots)
    assert round(lives(boots).spent, 6) == round(on * 1.0 + off * 0.1, 6)


def test_a_clock_that_is_set_after_the_first_look() -> None:
    """A first boot without a clock begins in 1970."""
    kept, _ = judge(RATES, Memory(), Seen(boot="a", up=30, wall=30.0))
    kept, _ = judge(RATES, kept, Seen(boot="a", up=90, wall=END + 90.0))
    kept, _ = judge(RATES, kept, Seen(boot="a", up=3600, wall=END + 3600.0))
    assert round(kept.spent, 6) == 1.0


def test_another_price_counts_from_when_it_holds() -> None:
    kept, _ = judge(RATES, Memory(), Seen(boot="a", up=0, wall=END))
    kept, _ = judge(RATES, kept, Seen(boot="b", up=0, wall=END + 10 * HOUR))
    dear = Rules(usd=1e9, running=1.0, stopped=1.0)
    kept, _ = judge(dear, kept, Seen(boot="c", up=0, wall=END + 20 * HOUR))
    assert round(kept.spent, 6) == 10 * 0.1 + 10 * 1.0


def test_the_count_of_an_older_roost_is_kept() -> None:
    old = {"boot": "a", "up": 3600.0, "wall": float(END), "spent": 2.5, "told": {}}
    kept, _ = judge(RATES, Memory.of(old), Seen(boot="b", up=0, wall=END + 10 * HOUR))
    assert round(kept.spent, 6) == 3.5


def test_a_hold_from_a_wrong_clock_holds_nothing() -> None:
    rules = Rules(idle=1800.0)
    longer = idle_policy.extend(rules, Memory(), 7200, END + YEARS)
    for minute in range(40):
        seen = Seen(boot="b", up=60.0 * minute, wall=END + 60.0 * minute)
        longer, verdict = judge(rules, longer, seen)
        if verdict.stop:
            break
    assert minute == 30


# --- the last resort -----------------------------------------------------------------------------


@pytest.fixture
def resort(tmp_path: Path) -> Path:
    """A root with the program, up for 3,000 s, and a systemctl that notes how it is called."""
    text = system("last-resort.sh")
    for place in ("/etc/roost", "/run/roost", "/proc/"):
        text = text.replace(place, f"{tmp_path}{place}")
    (tmp_path / "last-resort").write_text(text)
    (tmp_path / "bin").mkdir()
    for name in ("systemctl", "wall"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/asked\n')
        program.chmod(0o755)
    begun = 500 * os.sysconf("SC_CLK_TCK")
    write(tmp_path / "proc/1/stat", f"1 (odd) name) S {' '.join(['7'] * 18)} {begun} 7 7\n")
    runs(tmp_path, 3000)
    return tmp_path


def runs(root: Path, seconds: int) -> None:
    write(root / "proc/uptime", f"{500 + seconds}.34 123.00\n")


def ends(root: Path, limits: str | None, place: str = "etc/roost/limits") -> bool:
    """Tell if it powers the machine off."""
    if limits is not None:
        write(root / place, limits)
    done = subprocess.run(
        ["/bin/sh", str(root / "last-resort")],
        env={"PATH": f"{root / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    asked = root / "asked"
    off = asked.exists() and "systemctl poweroff" in asked.read_text()
    asked.unlink(missing_ok=True)
    return off


def test_the_last_resort(resort: Path) -> None:
    now = int(time.time())
    assert not ends(resort, "- -\n")
    assert not ends(resort, f"{now - 1700} -\n")
    assert ends(resort, f"{now - 1801} -\n")
    assert not ends(resort, "- 1300\n")
    assert ends(resort, "- 1199\n")
    assert not ends(resort, f"{now + 60} 90000\n")
    # What roost-extend could not write to the disk counts.
    assert ends(resort, "- 1199\n")
    assert not ends(resort, "- 9000\n", "run/roost/limits")


@pytest.mark.parametrize("limits", [None, "", "x", "1e9 -\n", "-\n", "x 9\n"])
def test_without_limits_that_can_be_read_a_day_is_one(resort: Path, limits: str | None) -> None:
    assert not ends(resort, limits)
    runs(resort, 86_400 + 1800)
    assert ends(resort, limits)


def test_the_guard_tells_it_the_limits_that_hold(machine: Machine) -> None:
    tell_facts(machine, **ENDS, budget={"usd": 10.0, "running": 2.0})
    guard.tick(machine, Seen(boot="b", up=60, wall=END - 9000, busy="work"))
    assert machine.at(memory.LIMITS).read_text() == f"{END} 18000\n"
    extend.extend(machine, 7200, END - 9000)
    assert machine.at(memory.LIMITS).read_text() == f"{END + 7200} 18000\n"


def test_they_are_there_before_the_guard_has_run() -> None:
    budget = MachineBudget(usd=10.0, running=2.0, stopped=0.1)
    facts = MachineFacts(name="a", nodes="desktop", role="desktop", budget=budget)
    files = {file.path: file.content for file in machine_files(facts)}
    assert files["/etc/roost/limits"] == "- 18000\n"
