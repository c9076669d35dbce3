"""Cron fields and the firings they mean, against the back end's own parser and against going through every minute."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import UserError
from earmark.pipelines.kubeflow.cron import firings, parse_cron

RECORDED = (Path(__file__).parent / "recorded" / "cron.txt").read_text().splitlines()[1:]
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
DAYS = timedelta(days=4)
# Clocks go forward or back within four days after these, or a year or a leap February ends.
BEGINNINGS = [
    datetime(2026, 3, 28, 11, 59, 30, tzinfo=UTC),
    datetime(2026, 10, 23, tzinfo=UTC),
    datetime(2026, 11, 1, 2, tzinfo=UTC),
    datetime(2026, 12, 30, tzinfo=UTC),
    datetime(2028, 2, 27, 23, 59, tzinfo=UTC),
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]


@pytest.mark.parametrize("line", RECORDED)
def test_it_fires_when_the_back_ends_own_parser_says_so(line):
    text, zone, after, expected = line.split("|")
    moments = firings(parse_cron(text), datetime.fromtimestamp(int(after), UTC), ZoneInfo(zone))
    assert [int(moment.timestamp()) for moment in islice(moments, 4)] == [int(each) for each in expected.split()]


@st.composite
def field(draw, low, high):
    """A field's text, its values, and whether it has a star: from what it is made of, without parsing."""
    texts, values, star = [], set(), False
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(["star", "every", "one", "range", "stepped"]))
        first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
        step = draw(st.integers(1, high))
        if kind in ("star", "every"):
            star = True
            texts.append(draw(st.sampled_from("*?")) + (f"/{step}" if kind == "every" else ""))
            top = min(high, 6) if high == 7 else high
            values |= set(range(low, top + 1, step if kind == "every" else 1))
        elif kind == "one":
            texts.append(str(first))
            values.add(first)
        else:
            texts.append(f"{first}-{last}" + (f"/{step}" if kind == "stepped" else ""))
            values |= set(range(first, last + 1, step if kind == "stepped" else 1))
    return ",".join(texts), values, star


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*(field(low, high) for low, high in BOUNDS)),
    st.sampled_from(BEGINNINGS),
    st.sampled_from(ZONES),
    st.data(),
)
def test_it_fires_in_exactly_the_minutes_that_fit(fields, after, zone, data):
    texts, (minutes, hours, days, months, weekdays), stars = zip(*fields, strict=True)
    six = data.draw(st.booleans())
    text = " ".join((["0"] if six else []) + list(texts))

    def fits(moment):
        on = (moment.day in days, (moment.weekday() + 1) % 7 in {day % 7 for day in weekdays})
        day = all(on) if stars[2] or stars[4] else any(on)
        return moment.month in months and day and moment.hour in hours and moment.minute in minutes

    first = after.replace(second=0) + timedelta(minutes=1)
    every = (first + timedelta(minutes=number) for number in range(int(DAYS / timedelta(minutes=1))))
    expected = [moment for moment in every if fits(moment.astimezone(ZoneInfo(zone)))]
    try:
        cron = parse_cron(text)
    except UserError:  # a day that no month has
        assert not expected
        return
    end = first + DAYS
    found = takewhile(lambda moment: moment < end, firings(cron, after, ZoneInfo(zone)))
    assert [moment.astimezone(UTC) for moment in found] == expected


def test_seconds_come_first_where_there_are_six_fields():
    moments = firings(parse_cron("*/20 59 23 * * *"), datetime(2026, 1, 1, 23, 59, 20, tzinfo=UTC), ZoneInfo("UTC"))
    assert [moment.isoformat(sep=" ") for moment in islice(moments, 3)] == [
        "2026-01-01 23:59:40+00:00",
        "2026-01-02 23:59:00+00:00",
        "2026-01-02 23:59:20+00:00",
    ]


@pytest.mark.parametrize(
    ("text", "six"),
    [
        ("0 3 * * mon", "0 0 3 * * mon"),
        ("0 3 * * MON-Fri", "0 0 3 * * mon-fri"),
        ("15 0 3 ? jan *", "15 0 3 ? jan *"),
        ("0 3 * * 7", "0 0 3 * * 0"),
        ("0 3 * * 5-7", "0 0 3 * * 0,5,6"),
        ("0 3 * * 2,1-7/3", "0 0 3 * * 2,0,1,4"),
    ],
)
def test_the_back_end_is_given_six_fields_and_sunday_as_0(text, six):
    assert parse_cron(text).text == six


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 3 * *", "no five or six fields"),
        ("@weekly", "no five or six fields"),
        ("0 24 * * *", "hour '24' is outside 0 to 23"),
        ("0 3 0 * *", "day of month '0' is outside 1 to 31"),
        ("0 3 * * 8", "day of week '8' is outside 0 to 7"),
        ("0 3 * * mondy", "use sun, mon, tue"),
        ("x 3 * * *", "minute 'x' names 'x': give a number"),
        ("0 20-4 * * *", "ends before it begins"),
        ("*/0 3 * * *", "steps by 0"),
        ("*-5 3 * * *", "give its first value"),
        ("0 3 * * 1,", "day of week '' is no value"),
        ("0 3 L * *", "day of month 'l' names 'l'"),
        ("0 3 31 2,4 *", "never fires"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(text, message):
    with pytest.raises(UserError) as error:
        parse_cron(text)
    assert repr(text) in str(error.value)
    assert message in str(error.value)


def test_a_time_that_clocks_leave_out_does_not_fire_and_one_that_comes_twice_fires_twice():
    zone = ZoneInfo("Europe/Berlin")
    cron = parse_cron("30 2 * * *")
    spring = firings(cron, datetime(2026, 3, 28, 12, tzinfo=UTC), zone)
    assert next(spring).date().isoformat() == "2026-03-30"
    autumn = firings(cron, datetime(2026, 10, 24, 12, tzinfo=UTC), zone)
    assert [moment.isoformat() for moment in islice(autumn, 2)] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
    ]
