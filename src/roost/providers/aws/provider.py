"""AWS as a provider: regions, profiles, and the capabilities of AWS alone."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from roost.providers.aws import session
from roost.providers.aws.optional import Unknowns

if TYPE_CHECKING:
    from roost.model.place import Place
    from roost.providers.aws.account import AwsAuditor, AwsDoctor
    from roost.providers.aws.cloud import AwsCloud
    from roost.providers.aws.listing import Listing
    from roost.providers.aws.rights import AwsRights
    from roost.providers.provider import Cloud, Tools
    from roost.spec import Spec

CONFIGURED_BY = (
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""What the environment has on a computer that uses AWS; without any of it, AWS is not asked."""
FILES = ("~/.aws/config", "~/.aws/credentials")


class AwsProvider:
    """Amazon Web Services, by boto3."""

    name = "aws"
    title = "AWS"
    rents = True
    regional = True

    def is_configured(self) -> bool:
        """Tell whether this computer has used it, or is set up for it. Without boto3 it has not."""
        from importlib.util import find_spec

        if find_spec("botocore") is None:
            return False
        told = any(os.environ.get(key) for key in CONFIGURED_BY)
        return told or session.used_here() or any(Path(f).expanduser().is_file() for f in FILES)

    def open(self, place: Place, tools: Tools, spec: Spec | None = None) -> AwsCloud:
        """Open one region. Raises UsageError without boto3, or where nothing names a region."""
        from roost.recipes.rented import boot

        said = spec.aws if spec is not None else None
        region = place.region or (said.region if said else None)
        profile = place.profile or (said.profile if said else None)
        cloud = session.connect(region, profile, tools.public_key, boot)
        cloud.retire = partial(tools.retire, cloud)
        cloud.unknowns = Unknowns(tools.warn)
        return cloud

    def remember(self, cloud: Cloud, place: Place, spec: Spec) -> None:
        """Note that this region is in use."""
        profile = place.profile or (spec.aws.profile if spec.aws else None)
        session.remember(cloud.region, profile)

    def find(self, name: str, place: Place, tools: Tools) -> tuple[Cloud, ...]:
        """Return the named region, the only one in use, or those that have the name's tag."""
        if place.region is not None:
            return (self.open(place, tools),)
        among = session.regions(place.profile)
        if len(among) > 1:
            among = session.regions_with(name, among, place.profile)
        return tuple(self._in(region, place, tools) for region in among)

    def where(self, place: Place) -> str:
        """Return ``"on AWS in eu-central-1, us-east-1"``."""
        return f"on AWS in {', '.join(session.regions(place.profile)) or 'any region'}"

    def everywhere(self, place: Place, tools: Tools) -> tuple[AwsCloud, ...]:
        """Return the named region, or all that this computer has used or is configured for."""
        among = (place.region,) if place.region else session.regions(place.profile)
        return tuple(self._in(region, place, tools) for region in among)

    def listers(self, place: Place, tools: Tools) -> tuple[Listing, ...]:
        """Return a listing of each region, by a botocore that knows three calls only."""
        from roost.providers.aws.listing import listings

        among = (place.region,) if place.region else session.regions(place.profile)
        return listings(among, place.profile, Unknowns(tools.warn))

    def _in(self, region: str, place: Place, tools: Tools) -> AwsCloud:
        from roost.model.place import Place

        return self.open(Place(self.name, region, place.profile), tools)

    @property
    def auditor(self) -> AwsAuditor:
        """The audit of the regions of an account."""
        from roost.providers.aws.account import AwsAuditor

        return AwsAuditor()

    @property
    def doctor(self) -> AwsDoctor:
        """The checks of credentials, region, network, quotas, permissions."""
        from roost.providers.aws.account import AwsDoctor

        return AwsDoctor()

    @property
    def rights(self) -> AwsRights:
        """IAM policies."""
        from roost.providers.aws.rights import AwsRights

        return AwsRights()


def provider() -> AwsProvider:
    """Return the provider, for the registry."""
    return AwsProvider()
