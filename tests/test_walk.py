"""A walk meets every case and hides no failure."""

import pytest

from tests.walk import each


def test_a_walk_goes_on_after_a_failure_and_names_all() -> None:
    seen: list[int] = []

    def check(case: int) -> None:
        seen.append(case)
        assert case != 2
        with pytest.raises(ValueError, match="base 10"):
            int("3" if case == 3 else "three")

    with pytest.raises(BaseExceptionGroup, match="2 of 4 cases") as caught:
        each([1, 2, 3, 4], check, title=lambda case: f"number {case}")
    assert seen == [1, 2, 3, 4]
    assert [error.__notes__[-1] for error in caught.value.exceptions] == [
        "the case: number 2",
        "the case: number 3",
    ]


def test_a_walk_without_cases_is_none() -> None:
    with pytest.raises(AssertionError, match="no cases"):
        each([], print)
