"""Headline numbers of tenants on their last days, for people who look at a refresh."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import psycopg

DayNumbers = dict[str, int]


def recent_days(
    connection: psycopg.Connection, family: str, newest: Mapping[str, date], days: int
) -> dict[str, dict[date, DayNumbers]]:
    """Numbers by tenant and day, on the days up to a date of each tenant."""
    rows = connection.execute(
        "select tenant_id, date, numbers from ops.recent_days(%s, %s, %s, %s)",
        [family, list(newest), list(newest.values()), days],
    )
    found: dict[str, dict[date, DayNumbers]] = {}
    for tenant_id, day, numbers in rows:
        found.setdefault(tenant_id, {})[day] = numbers
    return found
