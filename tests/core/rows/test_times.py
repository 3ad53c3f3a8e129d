"""Times are told apart by value, and what makes no sense counts as absent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reaper.core.rows.times import FUTURE_TOLERANCE_SECONDS, MIN_PLAUSIBLE_TIME, epoch_seconds

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp()
MOMENT = datetime(2026, 11, 24, 7, 44, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        {"N": "1795506266"},
        {"S": "1795506266"},
        {"N": "1795506266000"},
        {"S": "1795506266000"},
        {"N": "1795506266000000"},
        {"N": "1795506266000000000"},
        {"S": "2026-11-24T07:44:26Z"},
        {"S": "2026-11-24T07:44:26.000Z"},
        {"S": "2026-11-24T07:44:26+00:00"},
        {"S": "2026-11-24T09:44:26+02:00"},
        {"S": "2026-11-24T07:44:26"},
        {"S": "2026-11-24 07:44:26"},
        {"S": "Tue Nov 24 2026 07:44:26 GMT+0000 (Coordinated Universal Time)"},
        {"S": "Tue Nov 24 2026 08:44:26 GMT+0100 (Central European Standard Time)"},
        {"S": "Tue, 24 Nov 2026 07:44:26 GMT"},
        {"S": "Tue, 24 Nov 2026 08:44:26 +0100"},
        {"S": "Tuesday, 24-Nov-2026 07:44:26 GMT"},
        {"S": "24/Nov/2026:07:44:26 +0000"},
        {"S": "2026-11-24 07:44:26 +0000 UTC"},
        {"S": "2026-11-24 02:44:26 -0500 EST m=+0.000012345"},
        {"S": "2026-11-24T07:44:26.0000000Z"},
        {"S": "/Date(1795506266000)/"},
        {"S": "Tue Nov 24 07:44:26 UTC 2026"},
        {"S": "Tue Nov 24 08:44:26 CET 2026"},
        {"S": "Tue Nov 24 02:44:26 -0500 2026"},
        {"S": "2026-11-24T08:44:26+01:00[Europe/Berlin]"},
        {"S": "2026-11-24 08:44:26 +0100"},
        {"S": "2026-11-24 07:44:26 UTC"},
        {"S": "11/24/2026, 7:44:26 AM"},
        {"S": "11/24/2026, 7:44:26\u202fAM"},
        {"S": "24/11/2026, 07:44:26"},
        {"S": "24.11.2026, 07:44:26"},
        {"S": "2026/11/24 07:44:26"},
        {"S": "Nov 24, 2026, 7:44:26 AM"},
        {"S": "20261124074426"},
        {"N": "20261124074426"},
        {"S": "20261124074426000"},
        {"M": {"seconds": {"N": "1795506266"}, "nanos": {"N": "0"}}},
        {"M": {"_seconds": {"N": "1795506266"}}},
    ],
)
def test_every_form_that_applications_use_is_read(value):
    assert epoch_seconds(value, NOW) == MOMENT.timestamp()


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"BOOL": True},
        {"NULL": True},
        {"M": {}},
        {"SS": ["2026-11-24T07:44:26Z"]},
        {"S": ""},
        {"S": "yesterday"},
        {"S": "2026-13-45T99:00:00Z"},
        {"S": "nan"},
        {"S": "inf"},
        {"N": "-1795506266"},
        {"N": "0"},
        {"N": "3600"},
        {"N": "1e300"},
        {"N": "20261124"},
        {"S": "20261124"},
        {"S": "2026-11-24"},
        {"S": "2026-W48-2"},
        {"N": "1795506266000000000000"},
        {"S": "2015-01-01T00:00:00Z"},
        {"S": "4/5/2026, 7:44:26 AM"},
        {"S": "05/04/2026 07:44:26"},
        {"S": "13/13/2026 07:44:26"},
        {"S": "Tue Nov 24 07:44:26 CST 2026"},
        {"S": "Tue Nov 24 07:44:26 IST 2026"},
        {"S": "Tue, 24 Nov 2026 07:44:26 EST"},
        {"S": "Tue Nov 24 07:44:26 EST 2026"},
        {"S": "11/24/2026, 13:44:26 PM"},
        {"S": "11/24/26, 7:44:26 AM"},
        {"S": "24 Nov 2026"},
        {"S": "20261324074426"},
        {"M": {"nanos": {"N": "0"}}},
        {"M": {"seconds": {"S": "soon"}}},
    ],
)
def test_what_makes_no_sense_counts_as_absent(value):
    assert epoch_seconds(value, NOW) is None


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2026-11-24T02:44:26", timezone(timedelta(hours=-5))),
        ("2026-11-24 08:44:26", ZoneInfo("Europe/Berlin")),
    ],
)
def test_a_time_without_a_zone_is_read_in_the_one_that_is_set(text, zone):
    assert epoch_seconds({"S": text}, NOW, zone) == MOMENT.timestamp()
    assert epoch_seconds({"S": f"{MOMENT.isoformat()}"}, NOW, zone) == MOMENT.timestamp()


def test_an_offset_is_added_before_a_time_is_judged():
    ttl = {"N": str(int(MOMENT.timestamp()) + 3 * 3600 * 3)}
    assert epoch_seconds(ttl, MOMENT.timestamp()) is None
    read = epoch_seconds(ttl, MOMENT.timestamp(), offset_seconds=-9 * 3600)
    assert read == MOMENT.timestamp()


def test_clocks_may_disagree_a_little_about_the_future():
    ahead = NOW + FUTURE_TOLERANCE_SECONDS
    assert epoch_seconds({"N": str(ahead)}, NOW) == ahead
    assert epoch_seconds({"N": str(ahead + 1)}, NOW) is None


@given(
    moment=st.datetimes(datetime(2019, 1, 1), datetime(2026, 11, 24)),
    offset=st.integers(-12 * 60, 14 * 60),
)
def test_seconds_milliseconds_and_iso_agree(moment, offset):
    zoned = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset)))
    seconds = zoned.timestamp()

    assert epoch_seconds({"N": str(int(seconds))}, NOW + 86400) == seconds
    assert epoch_seconds({"N": str(int(seconds * 1000))}, NOW + 86400) == seconds
    assert epoch_seconds({"S": zoned.isoformat()}, NOW + 86400) == seconds


implausible = st.floats(-1e12, MIN_PLAUSIBLE_TIME - 1) | st.floats(
    NOW + FUTURE_TOLERANCE_SECONDS + 1, 9e10
)


@given(implausible, st.sampled_from([1, 1000, 10**6, 10**9]))
def test_no_number_is_read_as_an_implausible_time(seconds, per_second):
    """In whichever unit: what is read is plausible, or nothing."""
    read = epoch_seconds({"N": str(int(seconds * per_second))}, NOW)
    assert read is None or MIN_PLAUSIBLE_TIME <= read <= NOW + FUTURE_TOLERANCE_SECONDS


@given(st.datetimes(datetime(1900, 1, 1), datetime(2018, 12, 17)))
def test_no_text_is_read_as_an_implausible_time(moment):
    for text in (
        moment.isoformat(),
        f"{moment.isoformat()}Z",
        f"{moment:%a, %d %b %Y %H:%M:%S GMT}",
    ):
        assert epoch_seconds({"S": text}, NOW) is None


@given(
    st.dictionaries(st.sampled_from(["S", "N"]), st.text())
    | st.sampled_from([{"BOOL": True}, {"M": {}}, {"NULL": True}, {"SS": ["a"]}])
)
def test_whatever_a_value_is_it_is_a_plausible_time_or_none(value):
    seconds = epoch_seconds(value, NOW)
    assert seconds is None or MIN_PLAUSIBLE_TIME <= seconds <= NOW + FUTURE_TOLERANCE_SECONDS
