"""When a schedule fires: cron fields as Kubeflow Pipelines reads them, and the firings they mean.

Its parser takes six fields, the seconds first, and reads five as if the last were left out: a schedule of five fields
that reached it would fire at other times than any cron does. Day of week 7 it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from earmark.errors import UserError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
HORIZON_YEARS = 5
"""The back end looks no further for the next firing."""


class Kind(NamedTuple):
    """What a field may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


KINDS = (
    Kind("second", 0, 59),
    Kind("minute", 0, 59),
    Kind("hour", 0, 23),
    Kind("day of month", 1, 31),
    Kind("month", 1, 12, MONTHS),
    Kind("day of week", 0, 6, DAYS),
)
PART = re.compile(r"(?P<low>[*?]|[0-9]+|[a-z]+)(-(?P<high>[0-9]+|[a-z]+))?(/(?P<step>[0-9]+))?")


@dataclass(frozen=True)
class Cron:
    """The values of each field.

    Attributes:
        text: six fields, as the back end reads them.
        values: of second, minute, hour, day of month, month, day of week (0 is Sunday).
        any_day: whether a day must fit day of month and day of week. Where neither begins with a star one of the two
            is enough.
    """

    text: str
    values: tuple[frozenset[int], ...]
    any_day: bool

    def on(self, day: datetime) -> bool:
        """Whether it fires at some time of this day."""
        _, _, _, days, months, weekdays = self.values
        if day.month not in months:
            return False
        fits = (day.day in days, day.isoweekday() % 7 in weekdays)
        return all(fits) if self.any_day else any(fits)


def parse_cron(text: str) -> Cron:
    """Five fields (minute, hour, day of month, month, day of week) or six (second first).

    A field is ``*`` or ``?`` (any), a number or name, a range ``1-5``, a step ``*/15`` or ``5-50/15``, or several of
    these with commas. Sunday is 0 or 7.

    Raises:
        UserError: a field that cannot be, or a time that never comes; says which and what to write.
    """
    fields = text.lower().split()
    if len(fields) not in (5, 6):
        raise UserError(
            f"cron {text!r} is no five or six fields: write minute, hour, day of month, month and day of week, as in "
            "'0 3 * * mon', with the second before them or not"
        )
    if len(fields) == 5:
        fields = ["0", *fields]
    read = [_field(text, kind, field) for kind, field in zip(KINDS, fields, strict=True)]
    stars = [any(part.startswith(("*", "?")) for part in field.split(",")) for field in fields]
    cron = Cron(" ".join(shown for shown, _ in read), tuple(values for _, values in read), stars[3] or stars[5])
    if next(firings(cron, datetime(2024, 1, 1, tzinfo=UTC), ZoneInfo("UTC")), None) is None:
        raise UserError(f"cron {text!r} never fires: no such day of month comes in that month; give another")
    return cron


def firings(cron: Cron, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The firings after a moment, in their order, as long as each comes within five years of the one before.

    Every moment fires whose local time fits. So where clocks go forward a time that is left out does not fire that day,
    and where they go back a time that comes twice fires twice.

    Args:
        cron: the fields.
        after: a moment, with its zone.
        zone: in which the fields are read.
    """
    seconds, minutes, hours = cron.values[:3]
    moment = after.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    limit = moment.year + HORIZON_YEARS
    while moment.year <= limit:
        local = moment.astimezone(zone)
        if not cron.on(local):
            midnight = datetime.combine(local.date() + timedelta(days=1), time(), zone)
            moment = midnight.astimezone(UTC)
        elif local.hour not in hours:
            moment += timedelta(seconds=3600 - 60 * local.minute - local.second)
        elif local.minute not in minutes:
            moment += timedelta(seconds=60 - local.second)
        elif local.second not in seconds:
            moment += timedelta(seconds=1)
        else:
            yield local
            limit = moment.year + HORIZON_YEARS
            moment += timedelta(seconds=1)


def _field(text: str, kind: Kind, field: str) -> tuple[str, frozenset[int]]:
    """A field as the back end reads it, and its values."""
    shown: list[str] = []
    values: set[int] = set()
    for part in field.split(","):
        found = _part(text, kind, part)
        if kind.names == DAYS and 7 in found:
            found = range(found.start, 8, found.step)
            shown += [str(day) for day in sorted({day % 7 for day in found})]
        else:
            shown.append(part)
        values |= {value % 7 for value in found} if kind.names == DAYS else set(found)
    return ",".join(shown), frozenset(values)


def _part(text: str, kind: Kind, part: str) -> range:
    """The values of what stands between commas."""

    def refused(why: str) -> UserError:
        return UserError(f"cron {text!r}: {kind.name} {part!r} {why}")

    match = PART.fullmatch(part)
    if match is None:
        raise refused("is no value, range (1-5) or step (*/15)")
    low, high, step = match["low"], match["high"], int(match["step"] or 1)
    if step == 0:
        raise refused("steps by 0: give 1 or more")
    if low in ("*", "?"):
        if high is not None:
            raise refused("is a range from any value: give its first value")
        return range(kind.low, kind.high + 1, step)
    # Sunday is 7 too where it is written as a number: 5-7 is Friday to Sunday.
    top = 7 if kind.names == DAYS else kind.high
    ends = []
    for value in (low, high or low):
        if value.isdecimal():
            number = int(value)
        elif value in kind.names:
            number = kind.names.index(value) + kind.low
        else:
            raise refused(f"names {value!r}: " + (f"use {', '.join(kind.names)}" if kind.names else "give a number"))
        if not kind.low <= number <= top:
            raise refused(f"is outside {kind.low} to {top}")
        ends.append(number)
    first, last = ends
    if match["step"] and high is None:
        last = max(first, kind.high)
    if first > last:
        raise refused("ends before it begins: turn it round, or write two ranges with a comma")
    return range(first, last + 1, step)
