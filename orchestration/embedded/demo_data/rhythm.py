"""The daily and weekly rhythm of people, in the local time of their zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from orchestration.embedded.demo_data.copy_text import Ints

SECOND = 1_000_000
HOUR = 3_600 * SECOND
_SLOT = HOUR // 4  # zones differ by quarters of an hour
_DAY_SECONDS = 86_400

# How busy each local hour is; a day's mean is close to 1.
_BUSY = np.array([0.05] * 6 + [0.2, 0.6, 1.4, 2.4, 2.6, 2.3, 1.5, 1.9, 2.2, 2.0, 1.6, 1.2])
_BUSY = np.append(_BUSY, [0.8, 0.6, 0.5, 0.4, 0.2, 0.1])
_WEEKEND = 0.15

# Takes seconds since 1970 in local time.
Pace = Callable[[Ints], NDArray[np.float64]]


def _busyness(local: Ints) -> NDArray[np.float64]:
    return _BUSY[local // 3_600 % 24] * np.where(_weekday(local) >= 5, _WEEKEND, 1.0)


def office_hours(local: Ints) -> NDArray[np.float64]:
    """The schedule of a new inbox: 1 from Monday to Friday, nine to five, else 0."""
    hour = local // 3_600 % 24
    return np.where((_weekday(local) < 5) & (hour >= 9) & (hour < 17), 1.0, 0.0)


def _weekday(local: Ints) -> Ints:
    return (local // _DAY_SECONDS + 3) % 7  # 1970-01-01 was a Thursday


class Rhythm:
    """Turns shares of a period and waiting times into instants that follow busy hours.

    Instants are integer microseconds since 1970 in UTC. ``zones`` are IANA names; other
    methods take for each row the position of its zone in that list. ``pace`` says how busy
    people are; without it they are busiest in office hours.
    """

    def __init__(self, zones: Sequence[str], start: int, end: int, pace: Pace = _busyness) -> None:
        self.start = start
        self.end = end
        self._edges = np.append(np.arange(0, end - start, _SLOT), end - start).astype(float)
        lengths = np.diff(self._edges) / HOUR
        self._busy_hours = []
        for zone in zones:
            hours = np.cumsum(pace(_local_seconds(zone, start, len(lengths))) * lengths)
            self._busy_hours.append(np.append(0.0, hours))

    def at(self, zone: Ints, share: NDArray[np.float64]) -> Ints:
        """The instants at which the given shares (0 to 1) of all activity are done."""
        micros = np.empty(len(share))
        for index in np.unique(zone):
            rows = zone == index
            busy = self._busy_hours[index]
            micros[rows] = np.interp(share[rows] * busy[-1], busy, self._edges)
        return self.start + micros.astype(np.int64)

    def later(self, zone: Ints, since: Ints, hours: NDArray[np.float64]) -> Ints:
        """``since`` plus a wait in busy hours: a wait of one hour takes longer at night."""
        micros = np.empty(len(since))
        offsets = (since - self.start).astype(float)
        for index in np.unique(zone):
            rows = zone == index
            busy = self._busy_hours[index]
            target = np.interp(offsets[rows], self._edges, busy) + hours[rows]
            beyond = np.maximum(target - busy[-1], 0) * HOUR
            micros[rows] = np.interp(target, busy, self._edges) + beyond
        return np.maximum(self.start + micros.astype(np.int64), since)

    def between(self, zone: Ints, since: Ints, until: Ints) -> NDArray[np.float64]:
        """Busy hours that pass from ``since`` to ``until``."""
        hours = np.empty(len(since))
        for index in np.unique(zone):
            rows = zone == index
            busy = self._busy_hours[index]
            first, last = (
                np.interp((instant[rows] - self.start).astype(float), self._edges, busy)
                for instant in (since, until)
            )
            hours[rows] = last - first
        return hours


@lru_cache(maxsize=32)
def _local_seconds(zone: str, start: int, slots: int) -> Ints:
    """Middle of each quarter of an hour from ``start`` on, as seconds in the zone's local time."""
    seconds = start // SECOND + np.arange(slots, dtype=np.int64) * (_SLOT // SECOND)
    info = ZoneInfo(zone)
    offsets = [_offset(second, info) for second in seconds[::4].tolist()]
    return seconds + np.repeat(offsets, 4)[:slots] + _SLOT // SECOND // 2


def _offset(second: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
