"""Checks of the account: this computer's clock, the region, and the caller, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from roost.errors import RoostError, command_line
from roost.model.finding import Finding
from roost.providers.aws.failures import kind_of, translated
from roost.providers.aws.quotas import Clients

LARGEST_SKEW = timedelta(minutes=5)
"""AWS refuses requests that are signed at another time than its own by more than this."""


def examine_account(
    clients: Clients,
    region: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    home: Clients | None = None,
) -> Iterator[Finding]:
    """Check this computer's clock, that the region is open, and the caller. Two requests.

    A wrong clock and a closed region both look like wrong credentials, so they come first. ``home``
    has clients of a region that every account has.
    """
    try:
        who = _caller(clients)
    except RoostError as error:
        yield from _refused_caller(error, region, clock, home)
        return
    date = who.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    yield judge_clock(date, clock())
    yield asked("region", partial(_region, clients, region))
    yield _known_caller(who)


def _caller(clients: Clients) -> Mapping[str, Any]:
    with translated("ask AWS who you are"):
        found: Mapping[str, Any] = clients("sts").get_caller_identity()
    return found


def _known_caller(who: Mapping[str, Any]) -> Finding:
    text = f"{who['Arn']} (account {who['Account']})"
    return Finding(check="credentials", verdict="ok", text=text)


def _refused_caller(
    error: RoostError, region: str, clock: Callable[[], datetime], home: Clients | None
) -> Iterator[Finding]:
    """Yield why AWS does not take the caller: also a refusal says what time it is there."""
    answer: Any = getattr(error.__cause__, "response", {})
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if date is not None:
        yield (judged := judge_clock(date, clock()))
        if judged.verdict == "problem":
            return
    if home is not None and error.__cause__ is not None and kind_of(error.__cause__) == "region":
        with suppress(RoostError):
            who = _caller(home)
            yield judge_region((), region)
            yield _known_caller(who)
            return
    mend = error.next or "the network between here and AWS"
    yield Finding(check="credentials", verdict="problem", text=error.what, mend=mend, access=True)


def judge_clock(date: str | None, now: datetime) -> Finding:
    """Judge whether this computer's clock is near that of AWS (the ``Date`` of an answer)."""
    if date is None:
        return Finding(check="clock", verdict="unknown", text="AWS's answer has no date")
    skew = now - parsedate_to_datetime(date)
    if abs(skew) <= LARGEST_SKEW:
        return Finding(check="clock", verdict="ok", text="as AWS's, within five minutes")
    side = "ahead of" if skew > timedelta() else "behind"
    text = f"{abs(skew).total_seconds() / 60:.0f} min {side} AWS's"
    return Finding(
        check="clock", verdict="problem", text=text, mend="sudo timedatectl set-ntp true"
    )


def _region(clients: Clients, region: str) -> Finding:
    found = clients("ec2").describe_regions(AllRegions=True, RegionNames=[region])["Regions"]
    return judge_region(found, region)


def judge_region(found: Iterable[Mapping[str, Any]], region: str) -> Finding:
    """Judge whether the account has opened the region."""
    states = {one["RegionName"]: one.get("OptInStatus", "opt-in-not-required") for one in found}
    if states.get(region) in ("opt-in-not-required", "opted-in"):
        return Finding(check="region", verdict="ok", text=region)
    return Finding(
        check="region",
        verdict="problem",
        text=f"{region} is not open for this account",
        mend=command_line("aws", "account", "enable-region", "--region-name", region)
        + "   (it takes some minutes)",
        access=True,
    )


# --- checks that cannot be made -------------------------------------------------------------------


def asked(check: str, ask: Callable[[], Finding]) -> Finding:
    """Return what a check found; "unknown" where it cannot be made."""
    try:
        with translated(f"check the {check}"):
            return ask()
    except RoostError as error:
        return _unknown(check, error)


def many(check: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a check found; "unknown" where it cannot be made."""
    try:
        with translated(f"check the {check}"):
            yield from tuple(ask())
    except RoostError as error:
        yield _unknown(check, error)


def _unknown(check: str, error: RoostError) -> Finding:
    return Finding(check=check, verdict="unknown", text=error.what, mend=error.next)
