"""A sample of a sweep: small, the same for the same seed; each of its points can be repeated."""

import shlex

import pytest

from tests.sampling import SHARE, Sample, Sweep, sample_of

pytest_plugins = ["pytester"]
POINTS = [(number, when) for number in range(50) for when in ("kill_before", "kill_after")]


def sample(**environment: str) -> Sample:
    return sample_of(environment, lambda: "c0ffee")


def test_it_is_a_part_in_the_points_own_order() -> None:
    chosen = sample().of(POINTS, "test")
    assert len(chosen) == 17 == len(set(chosen))
    assert chosen == [point for point in POINTS if point in chosen]
    assert sample().of(POINTS[:3], "test") != []
    assert sample().of([], "test") == []


def test_it_is_chosen_by_commit_or_seed_and_by_test() -> None:
    chosen = sample().of(POINTS, "test")
    assert sample().of(POINTS, "test") == sample(ROOST_SEED="c0ffee").of(POINTS, "test") == chosen
    assert sample(ROOST_SEED="tea").of(POINTS, "test") != chosen
    assert sample().of(POINTS, "another") != chosen
    assert sample().number != sample(ROOST_SEED="tea").number
    assert "ROOST_SEED=c0ffee" in sample().title


def test_in_many_commits_every_point_has_its_turn() -> None:
    turns = {p for n in range(100) for p in sample(ROOST_SEED=str(n)).of(POINTS, "test")}
    assert turns == set(POINTS)


def test_files_by_turns_are_named_where_they_are_left(pytester: pytest.Pytester) -> None:
    """The suite's own hooks, in a run of its own."""
    pytester.makeini("[pytest]\nmarkers = by_turns")
    pytester.makeconftest("from tests.conftest import *")
    body = "import pytest\n@pytest.mark.by_turns\ndef test_it(): pass\n"
    pytester.makepyfile(**{f"test_{name}": body for name in "abcd"}, test_e="def test_it(): pass")
    quiet = ("-p", "no:randomly", "-p", "no:cacheprovider", "-rp")
    ran = pytester.runpytest_inprocess(*quiet)
    ran.assert_outcomes(passed=3, deselected=2)
    assert "left for another commit" in ran.stdout.str()
    for name in "abcd":  # each is either run or named
        passed, left = f"PASSED test_{name}.py", f"  test_{name}.py"
        assert (passed in ran.stdout.str()) != (left in ran.outlines)
    pytester.runpytest_inprocess("test_a.py", "test_b.py", *quiet).assert_outcomes(passed=2)


def test_in_full_it_is_all() -> None:
    full = sample(ROOST_SWEEP="full")
    assert full.of(POINTS, "test") == POINTS
    assert (full.examples(60), sample().examples(60)) == (60, 60 // SHARE)
    with pytest.raises(ValueError, match="full or sample, not 'all'"):
        sample(ROOST_SWEEP="all")


def test_what_fails_says_how_to_repeat_it() -> None:
    def visit(point: tuple[int, str]) -> None:
        assert point[0] < 25

    sweep = Sweep("tests/aws/test_x.py::test_x[desktop up-0]", sample(ROOST_SWEEP="full"))
    with pytest.raises(AssertionError) as failed:
        sweep.through("x", POINTS, visit)
    assert sweep.counts == {"x": 50}
    (note,) = failed.value.__notes__
    setting, *words = shlex.split(note.removeprefix("this point alone: "))
    assert words[-1] == "tests/aws/test_x.py::test_x[desktop up-0]"
    variable, point = setting.split("=", 1)
    again = sample(**{variable: point})
    assert again.of(POINTS, sweep.test) == [(25, "kill_before")]
    with pytest.raises(ValueError, match="no point"):
        again.of(POINTS[:10], sweep.test)
