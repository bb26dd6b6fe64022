"""The calls to EC2: all pages of a list, and calls that may have been done before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from roost.providers.aws.failures import code_of, is_absent, kind_of
from roost.providers.aws.optional import Unknowns

PAGE = 1000
"""The most that EC2 gives in one page."""


@dataclass(frozen=True, slots=True)
class Calls:
    """A boto3 client of EC2, with the few ways in which roost uses it."""

    ec2: Any
    unknowns: Unknowns = field(default_factory=Unknowns)

    @property
    def region(self) -> str:
        """The region that is asked."""
        return str(self.ec2.meta.region_name)

    def every(self, call: str, place: str, **asked: Any) -> list[Any]:
        """Return what is at ``place`` in every page of ``call``."""
        if not self.ec2.can_paginate(call):
            return list(getattr(self.ec2, call)(**asked)[place])
        size = min(PAGE, self._most(call))
        pages = self.ec2.get_paginator(call).paginate(**asked, PaginationConfig={"PageSize": size})
        return [one for page in pages for one in page[place]]

    def optional(self, call: str, place: str, **asked: Any) -> list[Any] | None:
        """Return the same of a call that roost can do without; None: unknown."""
        return self.unknowns.without(call, partial(self.every, call, place, **asked))

    def _most(self, call: str) -> int:
        """Return the largest page that EC2 gives of this list; some are of 100 or 200 only."""
        meta = self.ec2.meta
        operation = meta.service_model.operation_model(meta.method_to_api_mapping[call])
        limit = operation.input_shape.members["MaxResults"].metadata.get("max", PAGE)
        return int(limit)

    def unless_there(self, call: Callable[..., Any], **asked: Any) -> Any | None:
        """Return the answer of a call that makes; None where a lost call had made it."""
        try:
            return call(**asked)
        except self.ec2.exceptions.ClientError as error:
            if kind_of(error) != "there":
                raise
            return None

    def unless_gone(self, call: Callable[..., Any], **asked: Any) -> Any | None:
        """Return the answer of a call that changes or deletes; None if the resource is gone."""
        try:
            return call(**asked)
        except self.ec2.exceptions.ClientError as error:
            if not is_absent(error):
                raise
            return None

    def for_those_there(self, call: Callable[..., Any], ids: Iterable[str]) -> Any | None:
        """Return the answer of a call on many instances; None if all of them are gone.

        EC2 refuses the whole call where one of the ids is gone. Its message names those, so the
        call is made again with the others.
        """
        left = list(ids)
        while left:
            try:
                return call(InstanceIds=left)
            except self.ec2.exceptions.ClientError as error:
                if code_of(error) != "InvalidInstanceID.NotFound":
                    raise
                gone = set(re.findall(r"i-[0-9a-f]+", str(error)))
                if gone.isdisjoint(left) and len(left) > 1:
                    raise
                left = [one for one in left if one not in gone] if len(left) > 1 else []
        return None
