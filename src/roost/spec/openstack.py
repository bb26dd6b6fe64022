"""The file's ``[openstack]`` table."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from roost.cost import site_prices
from roost.spec.table import Table, around, wrong
from roost.spec.values import Text

Guard = Literal["poweroff", "shelve"]
"""What a machine does by itself at its end time, when idle, or out of budget."""


class OpenStack(Table):
    """Names of the site's own things; credentials are in OpenStack's clouds.yaml, never here."""

    cloud: Text | None = Field(
        None,
        description="The entry in clouds.yaml; otherwise what OS_CLOUD or OS_* say, or the only "
        "entry.",
        examples=["jetstream2"],
    )
    region: Text | None = Field(None, description="The region, where a site has several.")
    vo: Text | None = Field(
        None,
        description="EGI: your virtual organisation, which has a project at each of its sites.",
        examples=["vo.access.egi.eu"],
    )
    site: Text | None = Field(
        None,
        description="EGI: the site, as GOCDB has it (`fedcloud site list --vo VO`); "
        "fedcloudclient finds the endpoint and the VO's project.",
        examples=["IFCA-LCG2"],
    )
    network: Text | None = Field(None, description="The network that machines are put on.")
    public_network: Text | None = Field(
        None,
        description="Where floating addresses come from; the same as `network` where its own "
        "addresses are reached from outside.",
    )
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
        description="The site's prices, in its own unit: a TOML file, or a list that comes with "
        "roost (jetstream2, denbi, pouta). Without them, costs are unknown.",
        examples=["jetstream2", "our-site.toml"],
    )
    price_list: SkipJsonSchema[dict[str, Any] | None] = Field(None, validate_default=True)

    @field_validator("prices")
    @classmethod
    def _readable(cls, found: str | None, info: ValidationInfo) -> str | None:
        here = around(info)
        if found is None or here is None or here.recorded:
            return found
        try:
            site_prices.named(found, here.folder)
        except (site_prices.WrongPricesError, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else None
            raise wrong(said or str(error)) from None
        return found

    @field_validator("price_list")
    @classmethod
    def _as_read(cls, found: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        """Take the prices as they are in the file that is named; a record brings its own."""
        here, named = around(info), info.data.get("prices")
        if named is None or here is None:
            return None
        try:
            if here.recorded:
                return None if found is None else site_prices.parse(found).to_facts()
            return site_prices.named(named, here.folder).to_facts()
        except (site_prices.WrongPricesError, OSError) as error:
            raise wrong(str(error)) from None

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
