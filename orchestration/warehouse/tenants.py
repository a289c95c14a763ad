"""Tenants of a family and the partitions (tenant x local date) they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """A tenant of the source.

    ``timezone``: IANA name, None when it has none. ``problem``: why it has no rollups, such as an
    id that cannot be a partition key or an unknown zone; None when nothing is wrong.
    """

    tenant_id: str
    name: str
    timezone: str | None
    problem: str | None

    def today(self) -> date:
        """Today's date in the tenant's zone (UTC when it has none)."""
        return datetime.now(tz=UTC).astimezone(ZoneInfo(self.timezone or "UTC")).date()


def known_tenants(connection: psycopg.Connection, family: str) -> list[Tenant]:
    """All tenants of the source, in order of their ids."""
    rows = connection.execute(
        "select tenant_id, tenant_name, timezone, problem from ops.known_tenants(%s)", [family]
    )
    return [Tenant(*row) for row in rows]


def require_tenant(connection: psycopg.Connection, family: str, tenant_id: str) -> Tenant:
    """The tenant, with or without rollups; an unknown one raises ``InputError``."""
    known = {tenant.tenant_id: tenant for tenant in known_tenants(connection, family)}
    if tenant_id not in known:
        raise _unknown(family, tenant_id, known)
    return known[tenant_id]


def require_tenants(
    connection: psycopg.Connection, family: str, tenant_ids: Sequence[str]
) -> list[Tenant]:
    """The named tenants, or all; one that is unknown or has a problem raises ``InputError``."""
    known = {tenant.tenant_id: tenant for tenant in known_tenants(connection, family)}
    for tenant_id in tenant_ids:
        if tenant_id not in known:
            raise _unknown(family, tenant_id, known)
        problem = known[tenant_id].problem
        if problem is not None:
            raise InputError(f"{family} tenant {tenant_id[:80]!r} has no rollups: {problem}")
    sound = [tenant.tenant_id for tenant in known.values() if tenant.problem is None]
    chosen = dict.fromkeys(tenant_ids) or sound
    return [known[tenant_id] for tenant_id in chosen]


def _unknown(family: str, tenant_id: str, known: Mapping[str, Tenant]) -> InputError:
    some = ", ".join(list(known)[:5]) or "none"
    return InputError(
        f"unknown {family} tenant {tenant_id[:80]!r}: the source has {len(known)}"
        f" ({some}{', ...' if len(known) > 5 else ''})"
    )


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
