"""Roost's errors for what a site answers: one table, from the status and the words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from roost.errors import (
    AccessError,
    CapacityError,
    CloudError,
    CredentialsError,
    NotYetError,
    QuotaError,
    RoostError,
    ThrottledError,
)

Kind = Literal[
    "busy",
    "pending",
    "absent",
    "there",
    "capacity",
    "addresses",
    "no router",
    "quota",
    "access",
    "credentials",
    "file",
    "old site",
    "other",
]
"""What an answer means for roost:

- "busy": too many calls, or the site's own trouble; the same call again, after a look.
- "pending": something is still on its way. Look again.
- "absent", "there": what is to be deleted is gone; what is to be made is there already.
- "capacity": no host has room for it now. "addresses": a network has no address left.
- "no router": no router leads from the machine's network to that of the addresses.
- "quota": the project's limit. "access": a rule of the site. "credentials": not taken.
- "file": the file asks for what there is not. "old site": it does not know the call.
"""
LONGEST = 1000
"""Characters of a site's words that roost passes on."""


@dataclass(frozen=True, slots=True)
class Row:
    """What answers mean: of this status (any, if 0), with these words (a pattern)."""

    kind: Kind
    status: int
    said: str = ""
    mend: str = ""


LIMITS = "openstack limits show --absolute   (the project's limits; the site's support raises them)"
AGAIN = "the same command again, in a minute   (it goes on where it stopped)"
LATER = "the same command again, later; or another type or zone in the file"
SIGN_IN = "openstack token issue   (says what is wrong with the entry in clouds.yaml)"
QUOTA = r"quota|too many (key pairs|instances)|exceeds? (the )?allowed|overlimit"
NO_HOST = r"no valid host|not enough hosts|insufficient (compute )?resources"
NO_ADDRESS = r"no more ip addresses|ipaddressgenerationfailure|addressexhausted"
NO_ROUTER = r"externalgatewayforfloatingip|is not reachable from subnet"
ON_ITS_WAY = (
    r"volume.* status must be|is already attached|not been resized|task_state|operation in progress"
)
ZONES = "zones = [...] in [openstack]   (see: openstack availability zone list)"
TABLE = (
    Row("credentials", 401, mend=SIGN_IN),
    Row("quota", 0, QUOTA, LIMITS),
    Row("capacity", 0, NO_HOST, LATER),
    Row("capacity", 400, r"requested availability zone is not available", ZONES),
    Row("addresses", 0, NO_ADDRESS),
    Row("no router", 0, NO_ROUTER),
    Row("access", 403, mend="ask the site's support, or the manager of the project"),
    Row("absent", 404),
    Row("there", 409, r"already exists|ruleexists|duplicate"),
    Row("old site", 406, mend="ask the site: roost needs OpenStack of 2018 (Rocky) or later"),
    Row("access", 409, r"is locked", "openstack server unlock SERVER   (somebody locked it)"),
    Row("busy", 413),
    Row("busy", 429),
    Row("busy", 500),
    Row("busy", 502),
    Row("busy", 503),
    Row("busy", 504),
    Row("pending", 409),
    Row("pending", 400, ON_ITS_WAY),
    Row("file", 400, r"availability.zone", ZONES),
    Row("busy", 0, r"^no answer|not json"),
)
ERRORS: dict[Kind, type[RoostError]] = {
    "busy": ThrottledError,
    "pending": NotYetError,
    "capacity": CapacityError,
    "addresses": CapacityError,
    "quota": QuotaError,
    "access": AccessError,
    "credentials": CredentialsError,
}
"""Roost's errors by what an answer means; CloudError for all others."""


class CallError(Exception):
    """A call that failed: the status (0: no answer that counts), and the site's own words."""

    def __init__(
        self,
        status: int,
        said: str,
        service: str,
        method: str,
        path: str,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{method} {service} {path}: {status} {said}")
        self.status = status
        self.said = said
        self.service = service
        self.retry_after = retry_after

    @classmethod
    def from_answer(cls, answer: Any, service: str, method: str, path: str) -> CallError:
        """Return the error of an answer, with its words."""
        said = words(answer.text[:100_000], str(answer.reason or ""))
        after = str(answer.headers.get("Retry-After", ""))
        wait = float(after) if re.fullmatch(r"\d{1,6}", after) else None
        return cls(answer.status_code, said, service, method, path, wait)

    @classmethod
    def without_answer(cls, error: Exception, service: str, method: str, path: str) -> CallError:
        """Return the error for what keystoneauth raised: no answer came, or no token."""
        status = getattr(error, "http_status", 0) or 0
        name = type(error).__name__
        said = " ".join(str(error).split())[:LONGEST]
        if name in ("MissingRequiredOptions", "MissingAuthPlugin", "NoMatchingPlugin"):
            status = 401
        if not status and ("Connect" in name or "Timeout" in name or "Unknown" in name):
            said = f"no answer: {said}"
        return cls(status, said, service, method, path)

    @property
    def kind(self) -> Kind:
        """What it means."""
        return row_of(self.status, self.said).kind

    @property
    def was_refused(self) -> bool:
        """True if the site says that it has done nothing, and when to ask again."""
        return self.status in (413, 429, 503) and self.kind == "busy"


def words(text: str, reason: str) -> str:
    """Return the message in an answer's body, whatever the service calls its fields."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        plain = re.sub(r"<[^>]*>", " ", text)
        return " ".join(plain.split())[:LONGEST] or reason
    if isinstance(body, dict) and len(body) == 1:
        (body,) = body.values()
    if isinstance(body, dict):
        parts = [str(body[key]) for key in ("type", "title", "message") if body.get(key)]
        body = ": ".join(parts) or json.dumps(body)
    return " ".join(str(body).split())[:LONGEST] or reason


def row_of(status: int, said: str) -> Row:
    """Return the row of the table that an answer belongs to."""
    for row in TABLE:
        if row.status in (0, status) and re.search(row.said, said.lower()):
            return row
    return Row("other", status)


def kind_of(error: BaseException) -> Kind:
    """Return what an error means."""
    return error.kind if isinstance(error, CallError) else "other"


def is_absent(error: BaseException) -> bool:
    """Tell whether what the call was about is not there."""
    return kind_of(error) == "absent"


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise roost's errors for those of calls; ``doing`` is what was tried."""
    try:
        yield
    except CallError as error:
        raise known(error, doing) from error


def known(error: CallError, doing: str) -> RoostError:
    """Return roost's error for one of a call."""
    row = row_of(error.status, error.said)
    status = f" ({error.service}, {error.status})" if error.status else f" ({error.service})"
    again = AGAIN if row.kind in ("busy", "pending") else None
    return ERRORS.get(row.kind, CloudError)(
        f"{doing}: {error.said}{status}", next=row.mend or again
    )


def fault_of(described: Mapping[str, Any]) -> str:
    """Return why a server is in ERROR, in Nova's words; bounded."""
    fault = described.get("fault")
    said = str(fault.get("message", "")) if isinstance(fault, dict) else ""
    return " ".join(said.split())[:LONGEST] or "the site does not say why"


def of_fault(name: str, said: str) -> RoostError:
    """Return the error for a server that the site could not make."""
    row = row_of(-1, said)
    kind = row.kind if row.kind in ("capacity", "quota", "addresses") else "other"
    return ERRORS.get(kind, CloudError)(
        f"{name}: the site could not make it: {said}", next=row.mend or LATER
    )
