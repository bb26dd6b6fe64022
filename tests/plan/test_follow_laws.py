"""The laws of following the work: within the range, and only who has no work goes."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from roost.notebook.dask.ranges import Range
from roost.plan.follow import Jobs, Machines, Work, decide, needed_for, never, read_work

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
    for key, wrong in (("needed", -1), ("needed", True), ("free", []), ("known", None)):
        assert read_work(json.dumps({**good, key: wrong})) is None
    assert read_work(json.dumps({"follower": "a\x1b[2Jb", "seconds": 1e99})) == Work(
        follower="a[2Jb", lease=86_400.0
    )
