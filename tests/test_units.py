"""Sizes and lengths of time, as they are written and as they are read."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roost.units import format_size, format_span, parse_size, parse_span


@pytest.mark.parametrize(
    ("text", "gib"),
    [
        ("500GB", 500),
        ("16 GiB", 16),
        ("1.5TB", 1536),
        ("2tib", 2048),
        ("512MiB", 0.5),
        (" 1mb ", 1 / 1024),
        ("007GB", 7),
        ("0.001GB", 0.001),
        ("1000000TB", 1_024_000_000),
    ],
)
def test_sizes(text: str, gib: float) -> None:
    assert parse_size(text) == gib


NO_SIZES: list[object] = ["", "GB", "16", "16 apples", "16 Gib ok?", "16 G", "16KB", "16 bytes"]
NO_SIZES += ["-1GB", "+1GB", "1e3GB", "1,5GB", "1.GB", ".5GB", "16GB 16GB", "infGB", "nanGB"]
NO_SIZES += ["٣GB", "1_000GB", "0x10GB", "16GB\0", 16, 16.0, True, None, ["16GB"], b"16GB"]


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match='a size with its unit: "512MiB"'):
        parse_size(text)


@pytest.mark.parametrize("text", ["0GB", "0.0TB", "0" * 400 + "MB"])
def test_a_size_is_above_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="a size above 0"):
        parse_size(text)


@pytest.mark.parametrize("text", ["1000001TB", "9" * 400 + "GB", "1" + "0" * 307 + "TB"])
def test_a_size_has_an_end(text: str) -> None:
    with pytest.raises(ValueError, match='at most "1000000TB"'):
        parse_size(text)


@pytest.mark.parametrize(
    ("gib", "text"),
    [
        (500.0, "500GB"),
        (1536.0, "1.5TB"),
        (1024.0, "1TB"),
        (1025.0, "1025GB"),
        (0.5, "512MB"),
        (1.0, "1GB"),
        (22.4, "22.4GB"),
        (1 / 1024, "1MB"),
        (16, "16GB"),
        (1_234_567.0, "1234567GB"),
        (1_234_567.5, "1234570GB"),
        (1_024_000_000.0, "1000000TB"),
        (1 / 3, "341.333MB"),
    ],
)
def test_sizes_are_written(gib: float, text: str) -> None:
    assert format_size(gib) == text


@given(st.floats(1e-6, 1_000_000))
def test_a_size_comes_back(gib: float) -> None:
    assert parse_size(format_size(gib)) == pytest.approx(gib, rel=1e-5)


@given(st.integers(1, 1_024_000_000))
@example(194_693_632)
def test_a_whole_size_comes_back_exactly(gib: int) -> None:
    assert parse_size(format_size(gib)) == gib
    assert parse_size(f"{gib}GB") == gib


@given(st.integers(1, 1023))
def test_whole_megabytes_come_back_exactly(mib: int) -> None:
    assert format_size(mib / 1024) == f"{mib}MB"
    assert parse_size(f"{mib}MB") == mib / 1024


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30m", timedelta(minutes=30)),
        ("30 min", timedelta(minutes=30)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        (" 2 d ", timedelta(days=2)),
        ("1W", timedelta(weeks=1)),
        ("1.5h", timedelta(minutes=90)),
        ("1.1h", timedelta(minutes=66)),
        ("90s", timedelta(seconds=90)),
        ("1d 2h\t3m", timedelta(days=1, hours=2, minutes=3)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_spans(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


NO_SPANS: list[object] = ["", "m", "30", "half an hour", "30 minutes", "30mins", "5y", "-5m"]
NO_SPANS += ["1h-30m", "1h, 30m", "1 30m", "1h30", "٣m", "1_0m", "1e3s", "infh", ".5h", "1.h"]
NO_SPANS += [30, 30.0, True, None, timedelta(1)]


@pytest.mark.parametrize("text", NO_SPANS)
def test_what_is_no_span(text: object) -> None:
    with pytest.raises(ValueError, match='a length of time with its unit: "30m"'):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0m", "above 0"),
        ("0.0000000001s", "above 0"),
        ("0.5s", "in whole seconds"),
        ("0.01m", "in whole seconds"),
        ("3651d", 'at most "3650d"'),
        ("9" * 400 + "h", 'at most "3650d"'),
    ],
)
def test_spans_that_cannot_be(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_span(text)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(hours=26, minutes=30), "1d2h30m"),
        (timedelta(minutes=30), "30m"),
        (timedelta(days=14), "14d"),
        (timedelta(seconds=61), "1m1s"),
        (timedelta(0), "0s"),
    ],
)
def test_spans_are_written(span: timedelta, text: str) -> None:
    assert format_span(span) == text


@given(st.integers(1, 3650 * 86400).map(lambda s: timedelta(seconds=s)))
def test_a_span_comes_back(span: timedelta) -> None:
    assert parse_span(format_span(span)) == span


@given(st.text(alphabet="0123456789.smhdwGMTiB -", max_size=12))
def test_any_text_is_something_or_an_error(text: str) -> None:
    """And what it is comes back when it is written."""
    try:
        span = parse_span(text)
    except ValueError:
        pass
    else:
        assert parse_span(format_span(span)) == span
    try:
        size = parse_size(text)
    except ValueError:
        return
    assert parse_size(format_size(size)) == pytest.approx(size, rel=1e-5)
