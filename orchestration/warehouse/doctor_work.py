"""Findings of the doctor about the refreshes: whether they happen, and for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

from orchestration.warehouse.status import FamilyStatus, family_status

ZONES = (Path(__file__).parent / "sql" / "doctor_zones.sql").read_bytes()
LATE_HOURS = 3.0

Level = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True)
class Check:
    """One finding; ``remedy`` says what to do about a WARN or FAIL."""

    level: Level
    name: str
    finding: str
    remedy: str | None = None


def work(connection: psycopg.Connection, family: str) -> list[Check]:
    """Whether refreshes happen, and for everybody."""
    newest = f"intermediate.{family}_verdicts"
    row = connection.execute("select to_regclass(%s)", [newest]).fetchone()
    if row is None or row[0] is None:
        return []  # set up by another version, which the last check says
    status = family_status(connection, family)
    checks = []
    without = status.without_rollups
    if without:
        some = "; ".join(f"{tenant.tenant_id[:40]!r}: {tenant.problem}" for tenant in without[:5])
        checks.append(
            Check(
                "WARN",
                f"{family} tenants",
                f"{len(without)} of {len(status.tenants)} have no rollups: {some}",
                f"rollups timezone set --family {family} TENANT ZONE;"
                " a tenant id that cannot be a partition key needs another id",
            )
        )
    if status.without_tenant:
        reasons = ", ".join(f"{name} {rows:,}" for name, rows in status.without_tenant.items())
        checks.append(
            Check(
                "WARN",
                f"{family} quarantine",
                f"rows that belong to no tenant: {reasons}",
                f"rollups quarantine --family {family}, and correct them in the source",
            )
        )
    zones = connection.execute(ZONES, {"family": family}).fetchall()
    checks += [
        Check(
            "FAIL",
            f"{family} time zones",
            f"{tenant_id}: this server does not know {zone}",
            f"rollups timezone set --family {family} {tenant_id} ZONE",
        )
        for tenant_id, zone in zones[:10]
    ]
    return [*checks, _refreshes(family, status)]


def _refreshes(family: str, status: FamilyStatus) -> Check:
    stale = [t for t in status.tenants if (t.staleness_minutes or 0) > LATE_HOURS * 60]
    last = status.last_refresh
    if last is None or any(
        t.complete_through is None and t.problem is None for t in status.tenants
    ):
        return Check(
            "WARN", f"{family} refresh", "not everything was loaded yet", "rollups refresh"
        )
    if stale:
        worst = max(tenant.staleness_minutes or 0 for tenant in stale)
        return Check(
            "WARN",
            f"{family} refresh",
            f"{len(stale)} of {len(status.tenants)} tenants are stale,"
            f" by {worst / 60:.0f} h at worst",
            "rollups refresh; is the hourly schedule on (rollups up)?",
        )
    if last.status != "completed":
        return Check(
            "WARN",
            f"{family} refresh",
            f"the last one is {last.status}: {last.error or 'no word'}",
            "rollups refresh",
        )
    return Check("OK", f"{family} refresh", f"last completed {last.started_at:%Y-%m-%d %H:%M} UTC")
