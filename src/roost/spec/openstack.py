"""The file's ``[openstack]`` table."""

from __future__ import annotations

from pydantic import Field

from roost.spec.table import Table
from roost.spec.values import Text


class OpenStack(Table):
    """Names of the site's own things; credentials are in OpenStack's clouds.yaml, never here."""

    cloud: Text | None = Field(None, description="The entry in clouds.yaml.")
    network: Text | None = Field(None, description="The network that machines are put on.")
    public_network: Text | None = Field(None, description="Where floating addresses come from.")
    zones: tuple[Text, ...] = Field((), description="Availability zones, in order of preference.")
