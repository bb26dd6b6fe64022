"""Which points of a sweep are gone through: all of them, or a sample that changes with the commit.

``ROOST_SWEEP=full`` is all (`make sweep`); otherwise one in ``SHARE`` or in what a test says, at
least one of each test.
``ROOST_SEED`` instead of the commit chooses another sample, and ``ROOST_POINT`` a single point.
"""

from __future__ import annotations

import os
import random
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from pathlib import Path
from typing import TypeVar

P = TypeVar("P")
SHARE = 6


@dataclass(frozen=True)
class Sample:
    """``only`` is one point, written as ``str`` writes it."""

    full: bool
    seed: str
    only: str = ""

    def of(self, points: Sequence[P], test: str, share: int = SHARE) -> list[P]:
        """The points to go through, in their order; another test has another sample."""
        if self.only:
            chosen_one = [point for point in points if str(point) == self.only]
            if not chosen_one:
                raise ValueError(f"{test} has no point {self.only}")
            return chosen_one
        if self.full:
            return list(points)
        chosen = random.Random(f"{self.seed} {test}")
        numbers = chosen.sample(range(len(points)), ceil(len(points) / share))
        return [points[number] for number in sorted(numbers)]

    def examples(self, number: int) -> int:
        """How many examples Hypothesis makes where all of the sweep is so many."""
        return number if self.full else ceil(number / SHARE)

    @property
    def number(self) -> int:
        """The seed as Hypothesis takes it."""
        return random.Random(self.seed).getrandbits(32)

    @property
    def title(self) -> str:
        """For the end of a run."""
        if self.only:
            return f"sweeps: the point {self.only}"
        if self.full:
            return "sweeps: in full"
        return f"sweeps: a sample of the points; the same again: ROOST_SEED={self.seed}"


def sample_of(environment: Mapping[str, str], commit: Callable[[], str]) -> Sample:
    """The sample that the environment asks for. Raises ValueError for an unknown word."""
    wanted = environment.get("ROOST_SWEEP", "sample")
    if wanted not in ("full", "sample"):
        raise ValueError(f"ROOST_SWEEP is full or sample, not {wanted!r}")
    seed = environment.get("ROOST_SEED") or commit()
    return Sample(full=wanted == "full", seed=seed, only=environment.get("ROOST_POINT", ""))


@cache
def the_sample() -> Sample:
    """The sample of this run."""
    return sample_of(os.environ, _commit)


def _commit() -> str:
    """The commit that is checked out; without git one fixed seed."""
    line = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except OSError:
        return "none"
    return done.stdout.strip() or "none"


@dataclass
class Sweep:
    """One test's way through its points; ``counts`` has how many, by the title of the sweep."""

    test: str
    sample: Sample
    counts: dict[str, int] = field(default_factory=dict)

    def through(
        self, title: str, points: Sequence[P], visit: Callable[[P], None], share: int = SHARE
    ) -> None:
        """Visit each chosen point. What one raises goes on with the command that repeats it."""
        for point in self.sample.of(points, self.test, share):
            try:
                visit(point)
            except BaseException as error:
                error.add_note(f"this point alone: {repeat(self.test, point)}")
                raise
            self.counts[title] = self.counts.get(title, 0) + 1


def repeat(test: str, point: object) -> str:
    """The command that goes through one point of a test again."""
    words = ["uv", "run", "--group", "dev", "pytest", "-m", "", test]
    return f"ROOST_POINT={shlex.quote(str(point))} {shlex.join(words)}"
