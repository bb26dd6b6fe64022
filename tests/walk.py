"""One test that walks through many small cases, which would cost more as tests than as work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

C = TypeVar("C")


def each(cases: Iterable[C], check: Callable[[C], None], title: Callable[[C], str] = str) -> None:
    """Check every case, and fail with all that are wrong: each with its title and its traceback."""
    wrong: list[BaseException] = []
    listed = list(cases)
    for case in listed:
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"the case: {title(case)}")
            wrong.append(error)
    assert listed, "there are no cases"
    if wrong:
        raise BaseExceptionGroup(f"{len(wrong)} of {len(listed)} cases", wrong)
