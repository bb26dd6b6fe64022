"""The result of one check, made before anything is rented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "problem", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check, and the command or page that mends it.

    ``access``: the account or its owner must allow something (exit code 5).
    """

    check: str
    verdict: Verdict
    text: str
    mend: str | None = None
    access: bool = False


def judge_installed(what: str, there: str | None, mend: str) -> Finding:
    """Judge whether a program or package is installed; ``there`` says where it is."""
    if there:
        return Finding(check=what, verdict="ok", text=there)
    return Finding(check=what, verdict="problem", text="is not installed", mend=mend)
