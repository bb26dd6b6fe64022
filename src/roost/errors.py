"""Every error that roost raises on purpose, and the exit code that it ends the command with.

RoostError                      1  something failed
├── UsageError                  2  the command or the file is wrong
│   ├── SpecError               2  the spec: every problem at once
│   └── NotFoundError           2  nothing of that name
├── PartlyDoneError             3  some of it was done; the rest is named
│   └── PartlyUpError           3  enough of it runs; what is missing is named (clouds/quorum.py)
├── NeedsConfirmationError      4  a yes, or a typed name, is missing
├── AccessError                 5  the cloud refuses us
│   ├── CredentialsError        5
│   └── QuotaError              5
├── BusyError                   1  another roost is changing the same name
├── SetupError                  1  a machine could not set itself up
├── UnreachableError            1  a machine does not answer
└── CloudError                  1  the cloud could not do it
    ├── CapacityError           1  no machine of that kind is free now
    └── ThrottledError          1  too many calls; worth another try
        └── NotYetError         1  something is on its way still; worth another look

An interrupt (Ctrl-C) ends with 130.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = [
    "AccessError",
    "BusyError",
    "CapacityError",
    "CloudError",
    "CredentialsError",
    "NeedsConfirmationError",
    "NotFoundError",
    "NotYetError",
    "PartlyDoneError",
    "Problem",
    "QuotaError",
    "RoostError",
    "SetupError",
    "SpecError",
    "ThrottledError",
    "UnreachableError",
    "UsageError",
    "command_line",
]


def command_line(*words: object) -> str:
    """Return a command for a person to paste into a shell: each word quoted where it needs it."""
    return shlex.join(map(str, words))


class RoostError(Exception):
    """An expected failure: shown as a message, never as a traceback.

    ``what`` says what happened, ``exists`` what exists now and may cost money, ``costs`` what all
    of it costs and what ends that, where a command that rents has failed, and ``next`` is the
    command to type next (``command_line`` quotes its words).
    """

    exit_code = 1
    costs = ""

    def __init__(self, what: str, *, exists: tuple[str, ...] = (), next: str | None = None) -> None:  # noqa: A002
        super().__init__(what)
        self.what = what
        self.exists = exists
        self.next = next

    def to_json(self) -> dict[str, object]:
        """Return the error for programs."""
        return {
            "kind": type(self).__name__.removesuffix("Error"),
            "exit_code": self.exit_code,
            "what": self.what,
            "exists": list(self.exists),
            "costs": self.costs or None,
            "next": self.next,
        }


class UsageError(RoostError):
    """The command line or the file asks for something that makes no sense."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a spec.

    ``where`` is the key path (``workers.count``), ``line`` its line in the file (1-based) when
    known, ``found`` what stands there, ``allowed`` what may stand there, ``hint`` a suggestion.
    """

    where: str
    message: str
    line: int | None = None
    found: str | None = None
    allowed: str | None = None
    hint: str | None = None

    def lines(self) -> tuple[str, ...]:
        """Return a few lines: ``line 3, workers.count: found "two"; allowed: a whole number``."""
        place = f"line {self.line}, {self.where}" if self.line else self.where
        found = f" (found {self.found})" if self.found else ""
        details = [f"    allowed: {self.allowed}"] if self.allowed else []
        if self.hint:
            details.append(f"    {self.hint}")
        return (f"{place}: {self.message}{found}", *details)


class SpecError(UsageError):
    """The spec file is wrong; ``problems`` holds all that is wrong with it, in file order."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{file}: {count}")
        self.file = file
        self.problems = problems

    def lines(self) -> tuple[str, ...]:
        """Return one or more lines for each problem: its place, the mistake, the right form."""
        return tuple(line for problem in self.problems for line in problem.lines())


class NotFoundError(UsageError):
    """The error for a name that does not exist."""


class PartlyDoneError(RoostError):
    """Some of the work was done; what is missing is named."""

    exit_code = 3


class NeedsConfirmationError(RoostError):
    """The error for a missing yes or typed name, where no person can be asked."""

    exit_code = 4


class AccessError(RoostError):
    """The cloud refuses us."""

    exit_code = 5


class CredentialsError(AccessError):
    """No credentials, or expired ones."""


class QuotaError(AccessError):
    """The account's quota does not allow it."""


class BusyError(RoostError):
    """The error for a name that another roost is changing."""


class SetupError(RoostError):
    """A machine could not set itself up; its log's last lines are in the message."""


class UnreachableError(RoostError):
    """A machine does not answer, or cannot be connected to."""


class CloudError(RoostError):
    """The cloud could not do it."""


class CapacityError(CloudError):
    """No machine of that kind is free right now."""


class ThrottledError(CloudError):
    """Too many calls at once; trying again later is safe."""


class NotYetError(ThrottledError):
    """Something that the call needs is still being made, changed or deleted: look again later."""
