"""The laws of following the work: within the range, and only who has no work goes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from roost.model.limits import Limits
from roost.notebook.dask.ranges import MOST, Range
from roost.plan.follow import (
    LEAST_USE,
    Jobs,
    Machines,
    Room,
    Work,
    decide,
    needed_for,
    never,
    read_work,
    room,
)

NAMES = [f"worker-{n}" for n in range(1, 9)]
RANGES = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(
    lambda pair: Range(minimum=min(pair), maximum=max(pair), by="me")
)
JOBS = st.builds(
    Jobs,
    count=st.integers(1, 30),
    nodes=st.integers(1, 5),
    cpus=st.integers(1, 12),
    on_one=st.integers(1, 6),
    memory_mib=st.sampled_from((0, 500, 5_000)),
    alone=st.booleans(),
    reason=st.sampled_from(("", "Resources", "PartitionConfig", "Dependency", "BadConstraints")),
)
SMALL = Machines(4, 4)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@given(
    RANGES,
    st.frozensets(st.sampled_from(NAMES)),
    st.integers(0, 20),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e6)),
)
def test_a_decision(
    wish: Range, there: frozenset[str], needed: int, idle: dict[str, float]
) -> None:
    made = decide(wish, there, needed, idle)
    assert made.drop <= idle.keys() & there  # nobody who has work
    if made.count > len(there):
        assert made.count == wish.hold(needed) <= wish.maximum
        assert not made.drop
    else:
        assert made.count == len(there) - len(made.drop)
        assert made.count >= min(len(there), wish.hold(needed))
    after = there - made.drop
    if made.count < len(there):  # the next look finds nothing more to do, or others that may go
        left = {name: since for name, since in idle.items() if name in after}
        assert decide(wish, after, needed, left).count == made.count
        assert all(idle[a] >= idle[b] for a in made.drop for b in left)


@given(
    RANGES,
    st.frozensets(st.sampled_from(NAMES)),
    st.integers(0, 20),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e6)),
    st.none() | st.timedeltas(-timedelta(days=400), timedelta(days=400)),
    st.none() | st.floats(-10, 100),
    st.floats(0, 10),
    st.floats(0, 10),
)
def test_nobody_is_rented_who_would_be_stopped_at_once(
    wish: Range,
    there: frozenset[str],
    needed: int,
    idle: dict[str, float],
    to_end: timedelta | None,
    left: float | None,
    running: float,
    worker: float,
) -> None:
    end = None if to_end is None else NOW + to_end
    limits = Limits(end=end, budget_usd=None if left is None else 50.0, budget_left_usd=left)
    free = decide(wish, there, needed, idle)
    made = decide(wish, there, needed, idle, room(limits, NOW, running, worker))
    assert made.drop == free.drop  # whatever stops it, workers go as ever
    assert min(free.count, len(there)) <= made.count <= free.count
    assert made.held == (made.count < free.count)
    hours = LEAST_USE / timedelta(hours=1)
    if made.count > len(there):
        assert end is None or end - NOW >= LEAST_USE
        if left is not None and worker > 0:
            assert (running + made.count * worker) * hours <= left * 1.000001
    if made.held and end is None and left is not None:  # one more could not be paid for
        assert (running + (made.count + 1) * worker) * hours > left * 0.999999


def test_what_holds_workers_back() -> None:
    soon = Limits(end=NOW + timedelta(minutes=14), budget_usd=9.0, budget_left_usd=5.0)
    assert room(soon, NOW, 0.1, 0.1) == Room(0, "its end time is 2026-07-01 12:14 UTC", ("2h",))
    later = replace(soon, end=NOW + timedelta(minutes=15), budget_left_usd=0.1)
    why = "$0.10 of its budget is left"
    assert room(later, NOW, 0.1, 0.1) == Room(3, why, ("--budget", "AMOUNT"))
    for left, most in ((-3.0, 0), (-1e308, 0), (1e308, MOST)):
        assert room(replace(later, budget_left_usd=left), NOW, 0.1, 0.1).most == most
    assert room(later, NOW, 0.0, 0.0) == room(Limits(), NOW, 0.1, 0.1) == Room()


@given(
    RANGES,
    st.frozensets(st.sampled_from(NAMES)),
    st.integers(0, 20),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e6)),
    st.frozensets(st.sampled_from(NAMES)),
)
def test_who_is_down_goes_and_another_comes(
    wish: Range,
    there: frozenset[str],
    needed: int,
    idle: dict[str, float],
    down: frozenset[str],
) -> None:
    """Look by look: those that are down for long go, and only then are others rented for them."""
    made = decide(wish, there, needed, idle, down=down)
    dead = down & there & idle.keys()
    if dead:
        assert (made.drop, made.count) == (dead, len(there) - len(dead))
    else:
        assert made == decide(wish, there, needed, idle)


@settings(max_examples=50)
@given(st.lists(JOBS, max_size=6), st.integers(1, 40))
def test_what_jobs_need(jobs: list[Jobs], most: int) -> None:
    work = Work(jobs=tuple(jobs))
    needed = needed_for(work, SMALL, most)
    lines = list(never(work, SMALL, most))
    can = [j for j in jobs if j.reason not in ("Dependency", "BadConstraints")]
    can = [j for j in can if not j.reason or (j.on_one <= 4 and j.nodes <= most)]
    can = [j for j in can if not j.reason or j.memory_mib <= 4096]
    assert needed <= sum(j.count * max(j.nodes, -(-j.cpus // 4)) for j in can)
    assert (needed > 0) == bool(can)
    if needed < most:
        assert needed * 4 >= sum(j.count * min(j.cpus, 4) for j in can)  # all run at once
    assert all("can never run here" in line for line in lines)
    more = Work(jobs=(*jobs, Jobs(count=1, nodes=1, cpus=1)))
    assert needed <= needed_for(more, SMALL, most) <= needed + 1


def test_jobs_by_hand() -> None:
    """Ten jobs of 2 CPUs on machines of 4, one on three machines, and one for itself."""
    jobs = (
        Jobs(count=10, nodes=1, cpus=2, reason="PartitionConfig"),
        Jobs(count=1, nodes=3, cpus=3, reason="PartitionNodeLimit"),
        Jobs(count=1, nodes=1, cpus=1, alone=True),
    )
    assert needed_for(Work(jobs=jobs), SMALL, 20) == 5 + 3 + 1
    large = Jobs(count=2, nodes=1, cpus=8, on_one=8, reason="PartitionConfig", first="9")
    assert list(never(Work(jobs=(large,)), SMALL, 20)) == [
        "job 9 and 1 others like it can never run here: it wants 8 CPUs of one machine, and a"
        " worker has 4"
    ]


@settings(max_examples=20)
@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_answer_of_a_head_is_read_or_refused(text: str) -> None:
    read_work(text)


def test_what_is_no_answer() -> None:
    good = {"needed": 2, "known": ["worker-1"], "free": {"worker-1": 3.5}}
    assert read_work(json.dumps(good)) == Work(
        needed=2, known=frozenset(["worker-1"]), free={"worker-1": 3.5}
    )
    stops = {"end": "2026-07-01T12:00:00+00:00", "budget_left_usd": 3.5}
    found = read_work(json.dumps({**good, "limits": stops, "wall": NOW.timestamp()}))
    assert found is not None
    assert found.limits is not None
    assert (found.limits.end, found.limits.budget_left_usd, found.now) == (NOW, 3.5, NOW)
    for key, wrong in (
        ("needed", -1),
        ("needed", True),
        ("free", []),
        ("known", None),
        ("limits", 7),
        ("limits", {"end": "2026-07-01"}),
        ("wall", 1e300),
    ):
        assert read_work(json.dumps({**good, key: wrong})) is None
    assert read_work(json.dumps({"follower": "a\x1b[2Jb", "seconds": 1e99})) == Work(
        follower="a[2Jb", lease=86_400.0
    )
