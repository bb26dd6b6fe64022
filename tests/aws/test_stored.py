"""What is known of copies in S3, as tags."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import CloudError
from roost.model.resources import S3Copy
from roost.providers.aws import s3_copies

COPY = S3Copy(
    name="data",
    source="vol-0123456789abcdef0",
    place="s3://my-bucket/parked/stars/data/vol-0123456789abcdef0/",
    tree="s3://my-bucket/parked/stars/data/vol-0123456789abcdef0/.roost/tree-2026.jsonl",
    sha256="5f" * 32,
    size_gib=500,
    used_gib=12.25,
    since=1_800_000_000.0,
    taken=1_800_000_123.5,
    sealed=True,
    region="eu-central-1",
)


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def test_most_often_it_is_one_tag() -> None:
    (one,) = s3_copies.as_tags(COPY).items()
    assert one == (
        "roost:stored:data",
        "1 1 sealed vol-0123456789abcdef0 1800000000.0 1800000123.5 500 12.25 eu-central-1 - "
        "X19fX19fX19fX19fX19fX19fX19fX19fX19fX19fX18 "
        "s3://my-bucket/parked/stars/data/vol-0123456789abcdef0/ .roost/tree-2026.jsonl",
    )


@given(
    prefix=st.text(st.characters(exclude_categories=("Cs",)), max_size=300),
    sealed=st.booleans(),
    endpoint=st.sampled_from(["", "https://s3.example.org:8333/a b"]),
    size=st.integers(1, 65536),
)
def test_what_is_written_is_read(prefix: str, sealed: bool, endpoint: str, size: int) -> None:
    place = f"s3://my-bucket/{prefix}/stars/data/vol-1/"
    copy = replace(
        COPY, place=place, tree=f"{place}.roost/tree-1", sealed=sealed, endpoint=endpoint,
        size_gib=size,
    )  # fmt: skip
    other = replace(COPY, name="seat-1-data")
    tags = s3_copies.as_tags(copy) | s3_copies.as_tags(other)
    assert all(len(value) <= 256 for value in tags.values())
    assert s3_copies.in_tags(listed({"roost": "stars", **tags})) == (copy, other)
    assert set(s3_copies.keys_of(["data"], listed(tags))) == set(s3_copies.as_tags(copy))


@pytest.mark.parametrize(
    "value", ["1 2 sealed vol-1", "", "2 1 sealed", "x", "1 1 perhaps a 1 1 1 1 - - ab s3://b/ t"]
)
def test_what_cannot_be_read_is_not_passed_over(value: str) -> None:
    with pytest.raises(CloudError, match="volume data's copy in S3 cannot be read"):
        s3_copies.in_tags(listed({"roost:stored:data": value}))
