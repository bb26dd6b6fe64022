"""The file's ``[openstack]`` table."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from roost.spec.table import Table, wrong
from roost.spec.values import Text

Guard = Literal["poweroff", "shelve"]
"""What a machine does by itself at its end time, when idle, or out of budget."""


def _unsaid(found: Any) -> bool:
    """Leave out a key that the file does not have: records of before have none such."""
    return found is None


class OpenStack(Table):
    """Names of the site's own things; credentials are in OpenStack's clouds.yaml, never here."""

    cloud: Text | None = Field(
        None,
        description="The entry in clouds.yaml; otherwise what OS_CLOUD or OS_* say, or the only "
        "entry.",
        examples=["jetstream2"],
    )
    region: Text | None = Field(
        None, exclude_if=_unsaid, description="The region, where a site has several."
    )
    vo: Text | None = Field(
        None,
        exclude_if=_unsaid,
        description="EGI: your virtual organisation, which has a project at each of its sites.",
        examples=["vo.access.egi.eu"],
    )
    site: Text | None = Field(
        None,
        exclude_if=_unsaid,
        description="EGI: the site, as GOCDB has it (`fedcloud site list --vo VO`); "
        "fedcloudclient finds the endpoint and the VO's project.",
        examples=["IFCA-LCG2"],
    )
    network: Text | None = Field(None, description="The network that machines are put on.")
    public_network: Text | None = Field(None, description="Where floating addresses come from.")
    zones: tuple[Text, ...] = Field((), description="Availability zones, in order of preference.")
    guard: Guard = Field(
        "poweroff",
        exclude_if=lambda found: found == "poweroff",
        description="How a machine ends by itself: most sites charge for one that is off, and "
        'none for one that is shelved. "shelve" gives root of the machine a right to its own '
        "server.",
    )
    prices: Text | None = Field(
        None,
        exclude_if=_unsaid,
        description="A TOML file with the site's prices, in its own unit (`roost init prices`); "
        "without one, costs are unknown.",
        examples=["jetstream2.prices.toml"],
    )

    @field_validator("vo")
    @classmethod
    def _one_place(cls, found: str | None, info: ValidationInfo) -> str | None:
        if found is not None and info.data.get("cloud") is not None:
            hint = "a project of the VO is in that entry of clouds.yaml (project_id)"
            raise wrong("`cloud` says where it is already", hint=hint)
        return _name_of_egi(found, '"vo.access.egi.eu"')

    @field_validator("site")
    @classmethod
    def _of_a_vo(cls, found: str | None, info: ValidationInfo) -> str | None:
        if found is not None and "vo" in info.data and info.data["vo"] is None:
            raise wrong("a site of EGI needs a VO", hint='vo = "vo.access.egi.eu"')
        return _name_of_egi(found, '"IFCA-LCG2"')


def _name_of_egi(found: str | None, example: str) -> str | None:
    """Return a name of EGI's: roost keeps a VO at a site as SITE:VO, and a region after a /."""
    if found is not None and not re.fullmatch(r"[\w.-]+", found, re.ASCII):
        raise wrong("not a name in EGI", allowed=f"letters, digits, . _ and -: {example}")
    return found
