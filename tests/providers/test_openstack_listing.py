"""The rows of `roost ls` for a site, of what its record says."""

from __future__ import annotations

import json

from roost.model.summary import Followed
from roost.providers.openstack.listing import summarized
from roost.providers.openstack.record import Kept, properties


def test_the_range_of_workers_is_in_the_record() -> None:
    def kept(follow: object) -> Kept:
        settings = {"name": "ndvi", "kind": "cluster", "workers": {"follow": follow}}
        record = Kept(record=json.dumps(settings))
        return Kept(record=record.record, held=properties(record))

    wished = {"minimum": 0, "maximum": 8, "by": "me"}
    rows = summarized([], {"a": kept(wished), "b": kept(None), "c": kept("0..8")}, "site")
    assert [(row.kind, row.follows) for row in rows] == [
        ("cluster", Followed(0, 0, 8)),
        ("cluster", None),
        ("cluster", None),
    ]
