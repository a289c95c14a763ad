"""Tenants of a family and the partitions (tenant x local date) they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from orchestration.errors import InputError
from orchestration.settings import Settings


class Partition(NamedTuple):
    """One tenant-local day of one tenant: the unit a person selects and a refresh reports."""

    tenant_id: str
    date: date


@dataclass(frozen=True)
class Tenant:
    """A tenant of the source; ``refused``: its id cannot be a partition key."""

    tenant_id: str
    name: str
    timezone: str
    refused: bool

    def today(self) -> date:
        """Today's date in the tenant's zone."""
        return datetime.now(tz=UTC).astimezone(ZoneInfo(self.timezone)).date()


def known_tenants(connection: psycopg.Connection, family: str) -> list[Tenant]:
    """All tenants of the source, in order of their ids."""
    rows = connection.execute(
        "select tenant_id, tenant_name, timezone, refused from ops.known_tenants(%s)", [family]
    )
    return [Tenant(*row) for row in rows]


def require_tenants(
    connection: psycopg.Connection, family: str, tenant_ids: Sequence[str]
) -> list[Tenant]:
    """The named tenants (all when none is); an unknown or refused one raises ``InputError``."""
    known = {tenant.tenant_id: tenant for tenant in known_tenants(connection, family)}
    for tenant_id in tenant_ids:
        if tenant_id not in known:
            some = ", ".join(list(known)[:5]) or "none"
            raise InputError(
                f"unknown {family} tenant {tenant_id[:80]!r}: the source has {len(known)}"
                f" ({some}{', ...' if len(known) > 5 else ''})"
            )
        if known[tenant_id].refused:
            raise InputError(
                f"tenant {tenant_id[:80]!r} cannot be a partition key:"
                " its id has a comma, a bar, '...', control characters or outer spaces"
            )
    chosen = dict.fromkeys(tenant_ids) or [t.tenant_id for t in known.values() if not t.refused]
    return [known[tenant_id] for tenant_id in chosen]


def first_date(connection: psycopg.Connection, settings: Settings, family: str) -> date:
    """First partition: ``ROLLUPS_START_DATE``, else the source's first activity, else today."""
    if settings.start_date is not None:
        return settings.start_date
    row = connection.execute("select first_date from ops.source_dates(%s)", [family]).fetchone()
    found = row[0] if row else None
    return found or datetime.now(tz=UTC).date()


def first_rollup_date(connection: psycopg.Connection, settings: Settings, family: str) -> date:
    """``first_date``, but taken from the rollups once there are any, which is quicker to read."""
    if settings.start_date is not None:
        return settings.start_date
    row = connection.execute("select ops.first_rollup_date(%s)", [family]).fetchone()
    return row[0] if row and row[0] is not None else first_date(connection, settings, family)


def dates_between(date_from: date, date_to: date) -> list[date]:
    """Every date from the first to the last, both included."""
    return [date_from + timedelta(days=n) for n in range((date_to - date_from).days + 1)]


def require_dates(date_from: date, date_to: date, *, first: date, last: date) -> tuple[date, date]:
    """A range inside the partitions there are; reversed or outside raises ``InputError``."""
    if date_from > date_to:
        raise InputError(f"--from {date_from} is after --to {date_to}: swap them")
    for option, value in (("--from", date_from), ("--to", date_to)):
        if not first <= value <= last:
            raise InputError(f"{option} {value} is outside the partitions: {first} to {last}")
    return date_from, date_to
