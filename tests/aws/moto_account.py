"""moto with nothing in it, begun at once and forgotten wholly.

By itself moto makes over a thousand images with a snapshot and a volume each, for each region, at
the beginning of a test and again when it is reset at the end, and it holds on to the regions of
many tests before: a second a test, and gigabytes in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from botocore.loaders import JSONFileLoader
from moto.core import responses
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.models import botocore_stubber
from moto.core.serialize import XFormedAttributePicker
from moto.ec2.models import EC2Backend, amis
from moto.kms import models as kms

IMAGE = "ami-12c6146b"
"""The one image that each region has before anything is made."""


@contextmanager
def empty_aws() -> Iterator[None]:
    """Answer boto3's calls from an account in memory, which lives as long as this."""
    with (
        patch("boto3.DEFAULT_SESSION", None),
        patch.object(amis.AmiBackend, "_load_amis", load_one_image),
        patch.object(EC2Backend, "create_default_vpc", with_way_out),
        patch.object(responses, "method_names_from_class", _methods),
        patch.object(XFormedAttributePicker, "get_possible_keys", possible_keys),
        patch.object(kms, "generate_private_key", _key),
        patch.object(JSONFileLoader, "load_file", load_once),
        patch.object(botocore_stubber, "enabled", True),
    ):
        forget()
        try:
            yield
        finally:
            forget()


_default_vpc = EC2Backend.create_default_vpc


def with_way_out(region: Any) -> Any:
    """Make the default VPC with its internet gateway, and the route to it, as AWS does."""
    return let_out(region, _default_vpc(region))


def let_out(region: Any, vpc: Any) -> Any:
    """Give a VPC an internet gateway, and its table the route to it; return the VPC."""
    gateway = region.create_internet_gateway().id
    region.attach_internet_gateway(gateway, vpc.id)
    (table,) = region.describe_route_tables(filters={"vpc-id": [vpc.id]})
    region.create_route(table.id, "0.0.0.0/0", gateway_id=gateway)
    return vpc


def load_one_image(region: Any) -> None:
    """Give a region its image, without the snapshot that moto makes for it."""
    (described,) = (ami for ami in amis.AMIS if ami["ami_id"] == IMAGE)
    region.amis[IMAGE] = amis.Ami(region, **{**described, "owner_alias": "amazon"})
    region.snapshots.clear()


def forget() -> None:
    """Drop all that is in moto's accounts."""
    for backends in BackendDict._instances:
        for account in backends.values():
            account.clear()
    reset_model_data()


_methods = cache(responses.method_names_from_class)
_key = cache(kms.generate_private_key)
_look_up = XFormedAttributePicker.get_possible_keys
_possible: dict[Any, tuple[str, ...]] = {}
_read = JSONFileLoader.load_file


def possible_keys(self: XFormedAttributePicker, context: Any) -> tuple[str, ...]:
    """Find out once under which names a class has what a shape calls by one."""
    known = (type(context.obj), context.key, context.shape)
    if known not in _possible:
        _possible[known] = tuple(_look_up(self, context))
    return _possible[known]


@cache
def _load(path: str) -> Any:
    return _read(JSONFileLoader(), path)


def load_once(self: JSONFileLoader, path: str) -> Any:
    """Read a file of botocore's models once in a process; each session reads its own otherwise."""
    del self
    return _load(path)
