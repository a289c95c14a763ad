"""The reporting time zone of a tenant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from zoneinfo import available_timezones

import psycopg

from orchestration.errors import InputError

_POSIX = re.compile(
    r"<?[A-Za-z]{1,6}>?\s*[+-]\s*\d{1,2}(:?\d{2})?([A-Za-z].*)?|[+-]?\d{1,2}(:\d{2})?"
)


@dataclass(frozen=True)
class ZoneChange:
    """What a change of zone rebuilds: a tenant's days with activity and its rows in the rollups."""

    tenant_id: str
    before: str | None
    after: str
    days: int
    rows: int


def require_timezone(connection: psycopg.Connection, name: str) -> str:
    """The current IANA name of a zone that PostgreSQL and Python both know.

    Legacy names (``US/Eastern``) and Rails' friendly ones (``Chennai``) are taken too. Raises
    ``InputError`` with the nearest right name, and for POSIX strings such as ``UTC+3``, which
    PostgreSQL would take with the sign turned round.
    """
    row = connection.execute("select ops.canonical_timezone(%s)", [name]).fetchone()
    if row is not None and row[0] in available_timezones():
        return row[0]
    shown = repr(name[:80])
    if _POSIX.fullmatch(name.strip()):
        raise InputError(
            f"time zone {shown} is an offset, not a place, and knows no daylight saving:"
            " use an IANA name such as Europe/Istanbul (or UTC)"
        )
    near = _nearest(name.strip())
    hint = f"did you mean {near}?" if near else "use an IANA name such as America/New_York, or UTC"
    raise InputError(f"unknown time zone {shown}: {hint}")


def plan_change(
    connection: psycopg.Connection, family: str, tenant_id: str, before: str | None, after: str
) -> ZoneChange:
    """What setting the zone would rebuild; nothing is changed yet."""
    row = connection.execute(
        "select days, row_count from ops.size_of_tenant(%s, %s)", [family, tenant_id]
    ).fetchone()
    days, rows = row or (0, 0)
    return ZoneChange(tenant_id, before, after, days, rows)


def set_timezone(connection: psycopg.Connection, family: str, tenant_id: str, name: str) -> bool:
    """Set the zone and note the tenant's history as pending; whether anything changed."""
    row = connection.execute(
        "select ops.set_timezone(%s, %s, %s)", [family, tenant_id, name]
    ).fetchone()
    return bool(row and row[0])


def _nearest(name: str) -> str | None:
    folded = {zone.casefold(): zone for zone in sorted(available_timezones())}
    wanted = name.casefold().replace(" ", "_")
    by_place = {zone.rpartition("/")[2]: zone for zone in folded if "/" in zone}
    found = wanted if wanted in folded else by_place.get(wanted)
    if found is None:
        found = next(iter(get_close_matches(wanted, folded, n=1, cutoff=0.7)), None)
    if found is None:
        place = next(iter(get_close_matches(wanted, by_place, n=1, cutoff=0.8)), None)
        found = by_place[place] if place else None
    return folded[found] if found else None
