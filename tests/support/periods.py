"""Periods of a report: the hours, days, weeks, months and years of a time zone, as instants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

GROUPS = ("hour", "day", "week", "month", "year")
MINUTE = timedelta(minutes=1)


def period_of(at: datetime, group_by: str, zone: str) -> datetime:
    """The first instant of the period that ``at`` lies in."""
    local = at.astimezone(ZoneInfo(zone))
    if group_by == "hour":
        # An hour that the clock shows twice is two periods, told apart by the offset.
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return at.astimezone(UTC) - past
    return first_instant(first_date(local.date(), group_by), zone)


def periods(since: datetime, until: datetime, group_by: str, zone: str) -> list[datetime]:
    """Every period that [``since``, ``until``) touches, in order."""
    return sorted({period_of(at, group_by, zone) for at in _samples(since, until, group_by)})


def first_date(day: date, group_by: str) -> date:
    """The first date of the week (from Sunday), month or year of a date."""
    if group_by == "week":
        return day - timedelta(days=(day.weekday() + 1) % 7)
    if group_by == "month":
        return day.replace(day=1)
    if group_by == "year":
        return day.replace(month=1, day=1)
    return day


@lru_cache(maxsize=100_000)
def first_instant(day: date, zone: str) -> datetime:
    """The first instant whose local date is ``day`` (or later, where a day was left out)."""
    info = ZoneInfo(zone)
    # Local dates never go back, so the start lies between two instants a day either side; clocks
    # are changed at whole minutes in every zone of the last century.
    low = datetime.combine(day, time(), tzinfo=UTC) - timedelta(days=1)
    high = low + timedelta(days=2)
    while high - low > MINUTE:
        middle = low + timedelta(minutes=(high - low) // MINUTE // 2)
        if middle.astimezone(info).date() >= day:
            high = middle
        else:
            low = middle
    return high


def _samples(since: datetime, until: datetime, group_by: str) -> Iterator[datetime]:
    """Instants so close that none of the periods is stepped over, the last one included."""
    step = timedelta(minutes=15) if group_by == "hour" else timedelta(hours=12)
    at = since
    while at < until:
        yield at
        at += step
    yield until - timedelta(microseconds=1)
