"""Where on OpenStack."""

from __future__ import annotations

from pydantic import Field

from roost.spec.table import Table


class OpenStack(Table):
    """Names of the site's own things; credentials are in OpenStack's clouds.yaml, never here."""

    cloud: str | None = Field(None, description="The entry in clouds.yaml.")
    network: str | None = Field(None, description="The network that machines are put on.")
    public_network: str | None = Field(None, description="Where floating addresses come from.")
    zones: tuple[str, ...] = Field((), description="Availability zones, in order of preference.")
