"""The history that fits into tags: written again, not happened, not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.cost.ledger import (
    Batch,
    Copy,
    Disk,
    Ending,
    Ledger,
    Machine,
    Seen,
    Sum,
    Thing,
    closing,
    lasted,
    read,
    reconciled,
    write,
)

HEAD, WORKER = Machine("m7i.xlarge"), Machine("m5.large", spot=True)
START = 1_795_168_800  # 2026-11-20 10:00:00 UTC
HOUR = 3600


def on(thing: Thing, count: int = 1, since: int = START) -> list[Seen]:
    return [Seen(thing, since)] * count


def off(thing: Thing, ended: int | None, since: int = START) -> Seen:
    return Seen(thing, since, on=False, ended=ended)


class TestClosing:
    def test_a_stop_after_two_hours(self) -> None:
        seen = on(HEAD)
        ledger = closing(Ledger(), seen, seen, START + 2 * HOUR)
        assert ledger.batches == (Batch(HEAD, START, 1, (Ending(1, 7200, 7200),)),)
        assert lasted(ledger, START + 9 * HOUR) == {HEAD: (7200, 7200)}

    def test_a_thousand_workers_are_one_batch(self) -> None:
        seen = on(WORKER, 1000)
        ledger = closing(Ledger(), seen, seen[:400], START + HOUR)
        assert ledger.batches == (Batch(WORKER, START, 1000, (Ending(400, 3600, 3600),)),)
        # 400 x 1 h + 600 x 3 h
        assert lasted(ledger, START + 3 * HOUR) == {WORKER: (2200 * HOUR, 2200 * HOUR)}

    def test_written_again_because_the_process_died_in_front_of_the_stop(self) -> None:
        seen = on(WORKER, 4)
        once = closing(Ledger(), seen, seen[:2], START + HOUR)
        again = closing(once, seen, seen[:2], START + 2 * HOUR)
        assert again.batches == (Batch(WORKER, START, 4, (Ending(2, 7200, 7200),)),)

    def test_an_end_that_did_not_happen_goes_by_itself(self) -> None:
        seen = on(WORKER, 4)
        ledger = closing(Ledger(), seen, seen, START + HOUR)
        assert lasted(reconciled(ledger, seen, START + 3 * HOUR), START + 3 * HOUR) == {
            WORKER: (12 * HOUR, 12 * HOUR)
        }

    def test_two_who_end_different_machines(self) -> None:
        seen = on(WORKER, 4)
        first = closing(Ledger(), seen, seen[:1], START + HOUR)
        second = closing(first, seen[1:], seen[1:3], START + 2 * HOUR)
        assert second.batches[0].endings == (Ending(1, 3600, 3600), Ending(2, 7200, 7200))

    def test_a_machine_that_was_started_again_is_another_batch(self) -> None:
        ledger = closing(Ledger(), on(HEAD), on(HEAD), START + HOUR)
        later = START + 10 * HOUR
        ledger = closing(ledger, on(HEAD, since=later), on(HEAD, since=later), later + HOUR)
        assert lasted(ledger, later + 5 * HOUR) == {HEAD: (2 * HOUR, 2 * HOUR)}


class TestWhatEndedByItself:
    def test_the_cloud_says_when(self) -> None:
        seen = [off(HEAD, START + 1800)]
        assert lasted(reconciled(Ledger(), seen, START + HOUR), START + HOUR) == {
            HEAD: (1800, 1800)
        }

    def test_what_the_cloud_says_and_what_is_written_down_are_one_end(self) -> None:
        written = closing(Ledger(), on(HEAD), on(HEAD), START + HOUR)
        found = reconciled(written, [off(HEAD, START + HOUR + 4)], START + 5 * HOUR)
        assert lasted(found, START + 5 * HOUR) == {HEAD: (3600, 3600)}

    def test_nobody_says_when(self) -> None:
        found = reconciled(Ledger(), [off(HEAD, None)], START + 8 * HOUR)
        assert lasted(found, START + 8 * HOUR) == {HEAD: (0, 8 * HOUR)}

    def test_two_of_four_vanished(self) -> None:
        ledger = reconciled(Ledger(), on(WORKER, 4), START)
        found = reconciled(ledger, on(WORKER, 2), START + 2 * HOUR)
        # two are on for 2 h; two were on for 0 h to 2 h
        assert lasted(found, START + 2 * HOUR) == {WORKER: (4 * HOUR, 8 * HOUR)}

    def test_its_range_does_not_grow_once_it_is_written_down(self) -> None:
        ledger = reconciled(Ledger(), on(WORKER, 1), START)
        gone = reconciled(ledger, [], START + HOUR)
        assert lasted(reconciled(gone, [], START + 9 * HOUR), START + 9 * HOUR) == {
            WORKER: (0, HOUR)
        }

    def test_a_stopped_machine_that_got_another_type_did_not_run_as_that(self) -> None:
        ledger = closing(Ledger(), on(HEAD), on(HEAD), START + HOUR)
        larger = off(Machine("m7i.8xlarge"), START + HOUR)
        assert lasted(reconciled(ledger, [larger], START + 2 * HOUR), START + 2 * HOUR) == {
            HEAD: (3600, 3600)
        }

    def test_a_volume_that_grew_is_still_one(self) -> None:
        small, large = Disk("gp3", 100), Disk("gp3", 200)
        ledger = reconciled(Ledger(), on(small), START)
        found = reconciled(ledger, on(large), START + 2 * HOUR)
        assert lasted(found, START + 2 * HOUR) == {large: (7200, 7200)}


class TestText:
    def test_as_it_is_written(self) -> None:
        ledger = Ledger(
            (
                Batch(WORKER, START, 1000, (Ending(400, 3600, 3600), Ending(1, 0, 7200))),
                Batch(Disk("gp3", 100, 3000, 125), START, 1),
                Batch(Disk("gp2", 30), START, 1),
                Batch(Copy(40, "archive"), START, 1),
            ),
            (Sum(HEAD, 36, 72),),
        )
        (text,) = write(ledger, (), 1, 256)
        assert text == (
            "m/m7i.xlarge:10-20 s/m5.large:tosp40:rs:b4+2s0/1+0-5k0 "
            "d/gp3/100/3000/125:tosp40:1: d/gp2/30:tosp40:1: c/archive/40:tosp40:1:"
        )
        found = read([text])
        assert (set(found.batches), found.sums) == (set(ledger.batches), ledger.sums)
        assert not found.damaged

    @pytest.mark.parametrize(
        "text", ["m/m5.large:1", "m/m5.large:x:1:2+1", "x/1:1", "@", "m/a:1:!"]
    )
    def test_what_cannot_be_read_is_missing_and_said_so(self, text: str) -> None:
        found = read([text, "d/gp2/30:1:1:"])
        assert found.damaged is (text != "m/m5.large:1")
        assert found.batches == (Batch(Disk("gp2", 30), 1, 1),)

    def test_old_batches_become_sums_where_there_is_no_room(self) -> None:
        batches = tuple(Batch(HEAD, START + n * HOUR, 1, (Ending(1, 600, 600),)) for n in range(20))
        texts = write(Ledger(batches), (), 1, 64)
        (text,) = texts
        # 31 characters each: the sum of 19 x 600 s, and the last batch
        assert text == "m/m7i.xlarge:8so m/m7i.xlarge:tou5w0:1:1+go"
        assert lasted(read(texts), START) == {HEAD: (12_000, 12_000)}

    def test_what_can_still_be_seen_never_becomes_a_sum(self) -> None:
        batch = Batch(HEAD, START, 1, (Ending(1, 600, 600),))
        stopped = off(HEAD, START + 600)
        texts = write(Ledger((batch,)), [stopped], 1, 20)
        assert read(texts).sums == ()
        assert read(texts).damaged

    def test_no_room_at_all(self) -> None:
        assert write(Ledger((Batch(HEAD, START, 1),)), (), 0, 256) == ()


things = st.sampled_from([HEAD, WORKER, Disk("gp3", 100), Disk("gp3", 8, 4000, 250), Copy(8)])
numbers = st.integers(0, 10**9)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    batches = {}
    for thing, since in draw(st.sets(st.tuples(things, numbers), max_size=30)):
        ends = {}
        for least, more in draw(st.sets(st.tuples(numbers, numbers), max_size=3)):
            ends[least, least + more] = draw(st.integers(1, 5))
        endings = tuple(Ending(count, *both) for both, count in ends.items())
        count = sum(ends.values()) + draw(st.integers(0, 3))
        batches[thing, since] = Batch(thing, since, max(count, 1), endings)
    return Ledger(tuple(batches.values()))


@given(ledgers())
def test_all_that_is_written_comes_back(ledger: Ledger) -> None:
    found = read(write(ledger, (), 1000, 256))
    assert set(found.batches) == set(ledger.batches)
    assert not found.damaged


@given(ledgers(), st.integers(1, 6))
def test_no_time_is_lost_by_becoming_a_sum(ledger: Ledger, texts: int) -> None:
    now = 2 * 10**9
    kept = write(ledger, (), texts, 256)
    assert len(kept) <= texts
    assert all(len(text) <= 256 for text in kept)
    found = read(kept)
    assert found.damaged or lasted(found, now) == lasted(ledger, now)


@given(st.lists(st.integers(0, 6), max_size=8), st.booleans())
def test_writing_twice_is_writing_once(retired: list[int], crash: bool) -> None:
    """However workers go, killed in front of the effect or not: the hours are those that were."""
    left, now, ledger, expected = 12, START, Ledger(), 0
    for count in retired:
        now += HOUR
        going = on(WORKER, min(count, left))
        if crash:
            ledger = closing(ledger, on(WORKER, left), going, now)
            now += HOUR
        ledger = read(write(closing(ledger, on(WORKER, left), going, now), on(WORKER), 40, 256))
        left -= len(going)
        expected += len(going) * (now - START)
    expected += left * (now - START)
    whole = reconciled(ledger, on(WORKER, left), now)
    assert lasted(whole, now).get(WORKER, (0, 0)) == (expected, expected)
