"""When a machine stops by itself: laws for any history, and a few histories by hand."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from roost.machine.idle_policy import (
    Memory,
    Rules,
    Seen,
    Verdict,
    end_of,
    extend,
    judge,
    limits_text,
)
from tests.laws import examples

T0 = 1_800_000_000.0
MINUTE, HOUR = 60.0, 3600.0


def minutes(
    rules: Rules, busy: list[str], *, start: float = 0, memory: Memory | None = None, **seen: object
) -> list[tuple[Memory, Verdict]]:
    """A look every minute of one boot, until it stops."""
    memory = memory or Memory()
    found = []
    for number, why in enumerate(busy):
        up = start + (number + 1) * MINUTE
        look = Seen(boot="a", up=up, wall=T0 + up, busy=why, **seen)  # type: ignore[arg-type]
        memory, verdict = judge(rules, memory, look)
        found.append((memory, verdict))
        if verdict.stop:
            break
    return found


# --- idle ----------------------------------------------------------------------------------------


def test_idle_stops_after_the_window_with_a_warning_ten_minutes_before() -> None:
    found = minutes(Rules(idle=45 * MINUTE), [""] * 100)
    # The first look is at minute 1; from there 45 minutes.
    assert len(found) == 46
    assert found[-1][1].stop == "nobody has used it and nothing has worked on it for 35 min"
    warned = [number for number, (_, verdict) in enumerate(found, 1) if verdict.notices]
    assert warned == [36, 46]
    assert found[35][1].notices == (
        "nobody has used it and nothing has worked on it for 35 min; it stops in 10 min. "
        "To go on: sudo roost-extend 2h",
    )


def test_one_busy_minute_begins_the_window_anew() -> None:
    found = minutes(Rules(idle=30 * MINUTE), [""] * 29 + ["somebody"] + [""] * 100)
    assert len(found) == 30 + 31


def test_a_look_that_is_missing_is_no_idle_time() -> None:
    rules = Rules(idle=10 * MINUTE)
    memory, _ = judge(rules, Memory(), Seen(boot="a", up=100, wall=T0))
    memory, verdict = judge(rules, memory, Seen(boot="a", up=5000, wall=T0 + 4900))
    assert (memory.idle_since, verdict.stop) == (5000, "")


@settings(max_examples=examples(300), deadline=None)
@given(
    work=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1, max_size=12),
    window=st.integers(2, 90),
)
def test_it_never_stops_while_something_works(work: list[tuple[bool, int]], window: int) -> None:
    history = ["relion" if at_it else "" for at_it, times in work for _ in range(times)]
    found = minutes(Rules(idle=window * MINUTE), history)
    if found[-1][1].stop:
        quiet = history[: len(found)][-window:]
        assert quiet == [""] * window


@settings(max_examples=examples(200), deadline=None)
@given(before=st.lists(st.sampled_from(["", "ssh"]), max_size=60), window=st.integers(2, 90))
def test_it_always_stops_after_the_window(before: list[str], window: int) -> None:
    quiet = [""] * (window + 3)
    assert minutes(Rules(idle=window * MINUTE), [*before, *quiet])[-1][1].stop


@settings(max_examples=examples(200), deadline=None)
@given(
    rules=st.builds(
        Rules,
        idle=st.none() | st.integers(2, 60).map(lambda m: m * MINUTE),
        end=st.none() | st.integers(-60, 200).map(lambda m: T0 + m * MINUTE),
        run=st.none() | st.integers(20, 200).map(lambda m: m * MINUTE),
        usd=st.none() | st.floats(0.01, 5),
        running=st.floats(0, 10),
    ),
    busy=st.lists(st.sampled_from(["", "work"]), min_size=200, max_size=300),
)
def test_no_stop_without_a_warning_before(rules: Rules, busy: list[str]) -> None:
    found = minutes(rules, busy)
    if found[-1][1].stop:
        least = min(600.0, (rules.idle or 1200) / 2) - 60
        warned = next(
            n for n, (_, v) in enumerate(found) if any("it stops in" in x for x in v.notices)
        )
        assert (len(found) - 1 - warned) * MINUTE >= min(least, 540.0)


# --- end -----------------------------------------------------------------------------------------


def test_the_end_time_stops_work_too_and_is_said_before() -> None:
    found = minutes(Rules(end=T0 + 30 * MINUTE), ["work"] * 100)
    assert len(found) == 30
    assert found[-1][1].stop == "its end time is 2027-01-15 08:30 UTC"
    assert [n for n, (_, v) in enumerate(found, 1) if v.notices] == [20, 30]


def test_started_after_its_end_there_is_time_to_extend() -> None:
    rules = Rules(end=T0 - HOUR)
    found = minutes(rules, ["ssh"] * 100)
    assert len(found) == 10
    longer = extend(rules, found[4][0], 2 * HOUR, T0 + 300)
    assert longer.end == T0 + 300 + 2 * HOUR
    assert not minutes(rules, ["ssh"] * 100, start=300, memory=longer)[-1][1].stop


def test_so_long_after_each_start_work_stops_too() -> None:
    rules = Rules(run=8 * HOUR)
    found = minutes(rules, ["work"] * 600)
    assert len(found) == 480
    assert found[-1][1].stop == "it has run for 8 h, as its file allows after a start"
    assert [n for n, (_, v) in enumerate(found, 1) if v.notices] == [470, 480]
    # Another start is another run; and who extends it has that long from then on.
    again = judge(rules, found[-1][0], Seen(boot="b", up=60, wall=T0 + 30 * HOUR, busy="work"))
    assert again[1] == Verdict()
    longer = extend(rules, found[474][0], 2 * HOUR, T0 + 475 * MINUTE)
    found = minutes(rules, ["work"] * 300, start=475 * MINUTE, memory=longer)
    assert found[-1][0].up == (475 + 120) * MINUTE
    assert limits_text(rules, Memory()) == "- 28800\n"
    assert limits_text(rules, longer) == f"- {(475 + 120) * 60:.0f}\n"
    assert limits_text(replace(rules, usd=1.0, running=1.0), Memory()) == "- 3600\n"


# --- extend --------------------------------------------------------------------------------------


def test_extend_moves_the_end_and_holds_idleness_off() -> None:
    rules = Rules(idle=30 * MINUTE, end=T0 + HOUR)
    memory = minutes(rules, [""] * 25)[-1][0]
    memory = extend(rules, memory, 2 * HOUR, T0 + 25 * MINUTE)
    assert end_of(rules, memory) == T0 + 3 * HOUR
    assert memory.hold == T0 + 145 * MINUTE
    found = minutes(rules, [""] * 300, start=25 * MINUTE, memory=memory)
    assert found[-1][0].up == 145 * MINUTE
    assert found[-1][1].stop.startswith("nobody has used it")


def test_without_an_end_none_is_made() -> None:
    assert extend(Rules(idle=60), Memory(), HOUR, T0).end is None


def test_a_later_end_in_the_file_counts() -> None:
    assert end_of(Rules(end=T0 + 9), Memory(end=T0)) == T0 + 9


# --- budget --------------------------------------------------------------------------------------


def test_the_budget_is_counted_by_hand() -> None:
    # $6 an hour running: $0.10 a minute; $1.20 stopped; the budget is $3.
    rules = Rules(usd=3, running=6, stopped=1.2, park=True)
    memory, _ = judge(rules, Memory(), Seen(boot="a", up=600, wall=T0, busy="x"))
    assert round(memory.spent, 9) == 1.0
    # An hour stopped ($1.20, less the minute that it runs again at $0.10 - that is $1.18 + $0.10).
    memory, verdict = judge(rules, memory, Seen(boot="b", up=60, wall=T0 + 3600, busy="x"))
    assert round(memory.spent, 9) == round(1.0 + 59 / 60 * 1.2 + 0.1, 9) == 2.28
    # Missing are $0.72: 7.2 minutes; so it is said at once.
    assert verdict.notices == (
        "its budget ends: $2.28 of $3.00; it is to be parked: roost park; it stops in 10 min. "
        "To go on: sudo roost-extend --budget USD",
    )
    site = replace(rules, unit="SU", usd=1)
    _, told = judge(site, Memory(), Seen(boot="a", up=600, wall=T0, busy="x"))
    assert told.notices[0].endswith("To go on: sudo roost-extend --budget SU")
    # At $2.40 (80 %), a minute and 12 s later:
    memory, verdict = judge(rules, memory, Seen(boot="b", up=132, wall=T0 + 3672, busy="x"))
    assert verdict.notices == ("$2.40 of $3.00 is spent: 80% of it",)


def test_workers_are_paid_by_the_heads_budget() -> None:
    rules = Rules(usd=100, running=1, worker=2)
    seen = Seen(boot="a", up=3600, wall=T0, busy="x", workers=3)
    assert judge(rules, Memory(), seen)[0].spent == 7.0


looks = st.lists(
    st.tuples(st.integers(1, 300), st.integers(0, 5000), st.booleans()), min_size=1, max_size=60
)


@settings(max_examples=examples(300), deadline=None)
@given(history=looks, usd=st.floats(0.05, 20), running=st.floats(0, 20), stopped=st.floats(0, 2))
def test_the_budget_never_fires_early_nor_forgets(
    history: list[tuple[int, int, bool]], usd: float, running: float, stopped: float
) -> None:
    """``history``: seconds that it runs until the look, those that it was off before, a boot."""
    rules = Rules(usd=usd, running=running, stopped=stopped)
    memory, wall, up, boot, paid = Memory(), T0, 0.0, 0, 0.0
    for number, (ran, off, rebooted) in enumerate(history):
        fresh = rebooted and number > 0
        away = off if fresh else 0
        up, boot = (float(ran), boot + 1) if fresh else (up + ran, boot)
        wall += ran + away
        paid += (ran * running + away * stopped) / 3600
        seen = Seen(boot=str(boot), up=up, wall=wall, busy="x")
        memory, verdict = judge(rules, memory, seen)
        assert abs(memory.spent - paid) < 1e-6
        if verdict.stop:
            assert paid >= usd - 1e-6


def test_a_clock_that_jumps_costs_nothing() -> None:
    rules = Rules(usd=10, running=1, stopped=1)
    memory, _ = judge(rules, Memory(), Seen(boot="a", up=60, wall=0, busy="x"))
    memory, _ = judge(rules, memory, Seen(boot="a", up=120, wall=T0, busy="x"))
    assert round(memory.spent * 3600, 6) == 120
    memory, _ = judge(rules, memory, Seen(boot="b", up=60, wall=T0 - HOUR, busy="x"))
    assert round(memory.spent * 3600, 6) == 180


# --- head and workers ----------------------------------------------------------------------------


def test_a_head_tells_its_workers_before_it_goes() -> None:
    found = minutes(Rules(end=T0 + 20 * MINUTE), ["x"] * 100, workers=2)
    assert found[19][0].stopping == "its end time is 2027-01-15 08:20 UTC"
    assert not found[19][1].stop
    assert len(found) == 22


def test_a_worker_stops_when_the_head_says_so() -> None:
    _, verdict = judge(Rules(), Memory(), Seen(boot="a", up=9, wall=T0, order="it is idle"))
    assert verdict.stop == "it is idle"


def test_memory_of_another_version_is_read() -> None:
    kept = {"spent": 2.5, "something_new": 1}
    assert Memory.of(kept) == replace(Memory(), spent=2.5)
