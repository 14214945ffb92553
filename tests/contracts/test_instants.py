"""Instants and durations at the borders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts import instants
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(MOMENTS)
def test_text_and_microseconds_are_inverse_for_every_year(moment: datetime) -> None:
    """From year 1 to 9999, also before 1970."""
    ts_us = (moment - EPOCH) // timedelta(microseconds=1)
    written = instants.text(ts_us)
    assert len(written) == len("2018-04-01T00:00:31.000000Z")
    assert instants.parse(written) == ts_us


@pytest.mark.parametrize(
    "text",
    [
        "2018-04-01T00:00:31Z",
        "2018-04-01T00:00:31.000Z",
        "2018-04-01T00:00:31.000000000Z",
        "2018-04-01T00:00:31.000000",
        "2018-04-01T00:00:31.000000+00:00",
        "2018-04-01T02:00:31.000000+02:00",
        "2018-04-01 00:00:31.000000Z",
        "2018-04-01t00:00:31.000000z",
        "2018-02-30T00:00:00.000000Z",
        "2018-13-01T00:00:00.000000Z",
        "0000-01-01T00:00:00.000000Z",
        "2018-04-01T24:00:00.000000Z",
        "2018-04-01T23:59:60.000000Z",
        "2018-W13-7T00:00:00.000000Z",
        "2018-04-01T00:00:31.000000Z\n",
        "٢٠١٨-04-01T00:00:31.000000Z",
        "",
        None,
        1522540831000000,
    ],
)
def test_any_other_way_to_write_an_instant_is_refused(text: Any) -> None:
    """Naive, other zones, other precision, days that do not exist."""
    with pytest.raises(Quarantine) as refused:
        instants.parse(text)
    assert refused.value.reason is Reason.TIME_INVALID


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2018-04-01T02:00:31+02:00", "2018-04-01T00:00:31.000000Z"),
        ("2018-03-31T18:30:31.25-05:30", "2018-04-01T00:00:31.250000Z"),
        ("2018-04-01t00:00:31.000000001z", "2018-04-01T00:00:31.000000Z"),
        ("2018-04-01T00:00:31.123456789Z", "2018-04-01T00:00:31.123456Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999Z"),
        ("2018-04-01T00:00:31-00:00", "2018-04-01T00:00:31.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_an_instant_of_rfc_3339_is_read_in_any_offset_and_to_the_microsecond(text: str, canonical: str) -> None:
    assert instants.text(instants.read(text)) == canonical


@given(MOMENTS.filter(lambda moment: 2 < moment.year < 9998), st.integers(-1439, 1439), st.integers(0, 999), st.integers(6, 9))
def test_any_spelling_of_an_instant_reads_as_the_instant(moment: datetime, minutes: int, finer: int, digits: int) -> None:
    ts_us = (moment - EPOCH) // timedelta(microseconds=1)
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    written = f"{local.replace(tzinfo=None).isoformat(timespec='seconds')}.{f'{local.microsecond:06d}{finer:03d}'[:digits]}"
    assert instants.read(f"{written}{sign}{hours:02d}:{rest:02d}") == ts_us


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2018-04-01T00:00:31", "RFC 3339"),
        ("2018-04-01 00:00:31Z", "RFC 3339"),
        ("2018-04-01T00:00:31,5Z", "RFC 3339"),
        ("2018-04-01T00:00:31.Z", "RFC 3339"),
        ("2018-04-01T00:00Z", "RFC 3339"),
        ("2018-04-01T00:00:31+2", "RFC 3339"),
        ("2018-04-01T00:00:31+0200", "RFC 3339"),
        ("2018-04-01T00:00:31+24:00", "RFC 3339"),
        ("2018-04-01T24:00:00Z", "RFC 3339"),
        ("2018-02-30T00:00:31Z", "RFC 3339"),
        ("0000-01-01T00:00:00Z", "RFC 3339"),
        ("0001-01-01T00:00:00+00:01", "RFC 3339"),
        ("9999-12-31T23:59:59-00:01", "RFC 3339"),
        ("2018-04-01", "RFC 3339"),
        ("2018-04-01T00:00:31Z\n", "RFC 3339"),
        ("٢٠١٨-04-01T00:00:31Z", "RFC 3339"),
        (1522540831, "RFC 3339"),
        (None, "RFC 3339"),
    ],
)
def test_what_is_no_instant_of_rfc_3339_is_refused_in_words(text: Any, told: str) -> None:
    with pytest.raises(Quarantine) as refused:
        instants.read(text)
    assert refused.value.reason is Reason.TIME_INVALID
    assert told in refused.value.what


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("7d", 604_800_000_000),
        ("6h", 21_600_000_000),
        ("5min", 300_000_000),
        ("30s", 30_000_000),
        ("200ms", 200_000),
        ("15us", 15),
        ("0s", 0),
    ],
)
def test_a_duration_reads_and_writes(text: str, us: int) -> None:
    """Each unit."""
    assert (instants.duration_us(text), instants.duration_text(us)) == (us, text)


@given(st.integers(0, 10**17))
def test_the_text_of_a_duration_reads_back(us: int) -> None:
    """The longest unit that divides it loses nothing."""
    assert instants.duration_us(instants.duration_text(us)) == us


@pytest.mark.parametrize("text", ["1.5h", "-1d", "7", "7 d", "1w", "d", "07d", "", "1d2h", 7])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    """No fractions, signs, spaces or other units."""
    with pytest.raises(Stop) as refused:
        instants.duration_us(text)
    assert refused.value.reason is Reason.DURATION_INVALID
