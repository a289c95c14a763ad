"""How far the rollups are: per tenant and per family, for the command line and for alerts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg.rows import class_row

SET_ASIDE_AS_COPY = "duplicate"


@dataclass(frozen=True)
class RefreshStatus:
    """A refresh as its log tells it. ``status``: running, completed, failed or lost; UTC times."""

    refresh_id: str
    trigger: str
    status: str
    started_at: datetime
    seconds: float | None
    partitions: int | None
    error: str | None


@dataclass(frozen=True)
class TenantStatus:
    """Where a tenant's rollups stand; times are UTC.

    ``complete_through``: everything that had come in by then is in the rollups (None: nothing was
    loaded yet). ``staleness_minutes`` is the time since. ``pending`` counts pieces of work.
    ``problem``: why the tenant has no rollups, such as an unknown zone; None when nothing is wrong.
    """

    tenant_id: str
    tenant_name: str
    timezone: str | None
    problem: str | None
    complete_through: datetime | None
    staleness_minutes: float | None
    pending: int
    pending_minutes: float | None
    refreshed_at: datetime | None
    refresh_seconds: float | None
    refresh_status: str | None
    duplicates: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelStatus:
    """A table of ours: rows of all tenants, and how long it takes in a refresh, in seconds.

    Percentiles are those of the last 200 refreshes of a month that had work.
    """

    model: str
    rows: int
    last_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None


@dataclass(frozen=True)
class RefreshAlert:
    """Something that is wrong with a family's refreshes: what kind, the facts, since when."""

    kind: str
    detail: str
    since: datetime | None


@dataclass(frozen=True)
class FamilyStatus:
    """A family: its tenants and tables, its last refresh and those that run now."""

    family: str
    last_refresh: RefreshStatus | None
    running: list[RefreshStatus]
    tenants: list[TenantStatus]
    models: list[ModelStatus]
    last_failure: RefreshStatus | None = None
    alerts: list[RefreshAlert] = field(default_factory=list)
    without_tenant: dict[str, int] = field(default_factory=dict)
    """Rows in quarantine that belong to no tenant of the source, by reason."""

    @property
    def pending(self) -> int:
        """Pieces of pending work of all tenants."""
        return sum(tenant.pending for tenant in self.tenants)

    @property
    def without_rollups(self) -> list[TenantStatus]:
        """Tenants that cannot be refreshed, each for its ``problem``."""
        return [tenant for tenant in self.tenants if tenant.problem is not None]


def family_status(connection: psycopg.Connection, family: str) -> FamilyStatus:
    """Status of a family in an initialised database."""
    set_aside = _set_aside(connection, family)
    tenants = _tenant_status(connection, family, set_aside)
    without_tenant: Counter[str] = Counter()
    for tenant_id in set_aside.keys() - {tenant.tenant_id for tenant in tenants}:
        without_tenant.update(set_aside[tenant_id])
    ended = _refreshes(connection, family, ["completed", "failed", "lost"])
    return FamilyStatus(
        family=family,
        last_refresh=next(iter(ended), None),
        running=_refreshes(connection, family, ["running"]),
        tenants=tenants,
        models=model_status(connection, family),
        last_failure=next(iter(_refreshes(connection, family, ["failed", "lost"])), None),
        alerts=refresh_alerts(connection, family),
        without_tenant=dict(without_tenant),
    )


def model_status(connection: psycopg.Connection, family: str) -> list[ModelStatus]:
    """Every table of a family, by name."""
    cursor = connection.cursor(row_factory=class_row(ModelStatus))
    return cursor.execute(
        "select model, sum(row_count)::bigint as rows, max(last_seconds) as last_seconds,"
        " max(p50_seconds) as p50_seconds, max(p95_seconds) as p95_seconds"
        " from ops.refresh_status where family = %s and model is not null"
        " group by model order by model",
        [family],
    ).fetchall()


def tenant_status(connection: psycopg.Connection, family: str) -> list[TenantStatus]:
    """Status of every tenant of the source, in order of their ids."""
    return _tenant_status(connection, family, _set_aside(connection, family))


def _set_aside(connection: psycopg.Connection, family: str) -> dict[str, dict[str, int]]:
    """Rows that are in no rollup, by tenant and reason."""
    set_aside: dict[str, dict[str, int]] = defaultdict(dict)
    for tenant_id, reason, rows in connection.execute(
        "select tenant_id, reason, row_count from ops.set_aside(%s)", [family]
    ):
        set_aside[tenant_id][reason] = rows
    return set_aside


def _tenant_status(
    connection: psycopg.Connection, family: str, set_aside: dict[str, dict[str, int]]
) -> list[TenantStatus]:
    now = datetime.now(UTC)
    statuses = []
    for row in connection.execute(
        "select tenant_id, tenant_name, timezone, problem, complete_through, pending,"
        " pending_since, refreshed_at, refresh_seconds, refresh_status, now()"
        " from ops.tenant_status(%s)",
        [family],
    ):
        *head, complete_through, pending, pending_since, at, seconds, status, now = row
        quarantined = dict(set_aside.get(row[0], {}))
        statuses.append(
            TenantStatus(
                *head,
                complete_through=complete_through,
                staleness_minutes=_minutes(complete_through, now),
                pending=pending,
                pending_minutes=_minutes(pending_since, now),
                refreshed_at=at,
                refresh_seconds=seconds,
                refresh_status=status,
                duplicates=quarantined.pop(SET_ASIDE_AS_COPY, 0),
                quarantined=quarantined,
            )
        )
    return statuses


def refresh_alerts(connection: psycopg.Connection, family: str) -> list[RefreshAlert]:
    """What is wrong with a family's refreshes now; empty when all is well."""
    cursor = connection.cursor(row_factory=class_row(RefreshAlert))
    return cursor.execute(
        "select alert as kind, detail, since from ops.alerts(%s)", [family]
    ).fetchall()


def pending_pieces(connection: psycopg.Connection, family: str) -> int:
    """Pieces of pending work of a family."""
    row = connection.execute(
        "select count(*) from ops.pending where family = %s", [family]
    ).fetchone()
    return row[0] if row else 0


def _refreshes(
    connection: psycopg.Connection, family: str, statuses: list[str]
) -> list[RefreshStatus]:
    cursor = connection.cursor(row_factory=class_row(RefreshStatus))
    return cursor.execute(
        "select refresh_id::text, trigger, status, started_at, seconds::float8, partitions, error"
        " from ops.refresh where family = %s and status = any(%s)"
        " order by started_at desc limit 20",
        [family, statuses],
    ).fetchall()


def _minutes(since: datetime | None, now: datetime) -> float | None:
    # The database's clock on both sides.
    return None if since is None else round((now - since).total_seconds() / 60, 1)
