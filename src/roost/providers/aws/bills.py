"""The account's own bill, from Cost Explorer, by the tag that all of roost's resources carry.

Sources: Cost Explorer API reference (GetCostAndUsage; a request costs 0.01 USD), Billing user guide
("Using user-defined cost allocation tags": a tag counts from when it was activated, and the bill is
up to a day behind).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from roost.cost.billed import Billed
from roost.errors import command_line
from roost.providers.aws import tags
from roost.providers.aws.failures import code_of, kind_of, translated

METRIC = "UnblendedCost"
MONTHS = 12
"""Cost Explorer has the months before this one, so many at least."""
MOST_PAGES = 20
ACTIVATE = command_line(
    *("aws", "ce", "update-cost-allocation-tags-status"),
    *("--cost-allocation-tags-status", f"TagKey={tags.NAME},Status=Active"),
)


@dataclass(frozen=True, slots=True)
class AwsBills:
    """Fulfils ``roost.providers.provider.Bills``."""

    clients: Callable[[str], Any]

    def billed(self, name: str, today: date) -> Billed:
        """Return the bill of a name in the last months. Raises CredentialsError."""
        from botocore.exceptions import BotoCoreError, ClientError

        since = date(today.year - 1, today.month, 1)
        found = Billed(since=since, until=today + timedelta(days=1))
        try:
            months = list(self._months(name, found))
        except ClientError as error:
            if kind_of(error) in ("clock", "credentials", "region"):
                with translated("read the bill"):
                    raise
            return _unknown(found, f"Cost Explorer does not say ({code_of(error)})", READ)
        except BotoCoreError as error:
            return _unknown(found, f"Cost Explorer does not say ({type(error).__name__})", READ)
        return summed(found, months)

    def _months(self, name: str, asked: Billed) -> Iterator[dict[str, Any]]:
        ask: dict[str, Any] = {
            "TimePeriod": {"Start": f"{asked.since}", "End": f"{asked.until}"},
            "Granularity": "MONTHLY",
            "Metrics": [METRIC],
            "Filter": {"Tags": {"Key": tags.NAME, "Values": [name], "MatchOptions": ["EQUALS"]}},
        }
        for _ in range(MOST_PAGES):
            answer = self.clients("ce").get_cost_and_usage(**ask)
            yield from answer["ResultsByTime"]
            if not answer.get("NextPageToken"):
                return
            ask["NextPageToken"] = answer["NextPageToken"]


READ = (
    "ce:GetCostAndUsage of the account, which no policy of `roost iam` gives: it shows what all of"
    " the account costs"
)


def summed(asked: Billed, months: list[dict[str, Any]]) -> Billed:
    """Return the sum of these months. Pure. Nothing at all is unknown, and not 0."""
    totals = [month.get("Total", {}).get(METRIC, {}) for month in months]
    units = {total["Unit"] for total in totals if Decimal(total.get("Amount", 0))}
    if not units:
        why = f"nothing is on the bill with the tag {tags.NAME}: it is up to a day behind, and"
        return _unknown(asked, f"{why} counts from when the tag was made a cost allocation tag")
    if len(units) > 1:
        return _unknown(asked, f"the bill is in {' and '.join(sorted(units))}", "")
    return Billed(
        since=asked.since,
        until=asked.until,
        amount=sum((Decimal(total.get("Amount", 0)) for total in totals), Decimal(0)),
        currency=units.pop(),
        estimated=any(month.get("Estimated") for month in months),
    )


def _unknown(asked: Billed, why: str, mend: str = ACTIVATE) -> Billed:
    return Billed(since=asked.since, until=asked.until, why=why, mend=mend)
