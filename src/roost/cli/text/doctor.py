"""The findings of ``roost doctor``, a line for each check: ``schema/output/doctor.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.model.finding import Finding

COLORS = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": "yellow"}


def finding_text(finding: Finding) -> str:
    """Write the verdict, the check, and below it the fix."""
    verdict = click.style(f"{finding.verdict:8}", fg=COLORS[finding.verdict])
    mend = f"\n{'':22}-> {finding.mend}" if finding.mend else ""
    return f"{verdict} {finding.check:12} {finding.text}{mend}"


def as_data(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return all findings, and whether none is a problem."""
    return {
        "ok": not any(finding.verdict == "problem" for finding in findings),
        "checks": [
            {"check": f.check, "verdict": f.verdict, "text": f.text, "mend": f.mend}
            for f in findings
        ],
    }
