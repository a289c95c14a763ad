"""Erasing a contact that the source has deleted: it vanishes from our tables, totals stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from orchestration.errors import DatabaseError, InputError
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import write_config
from orchestration.warehouse.connection import connect, one_line
from orchestration.warehouse.refresh import RefreshOutcome, RefreshRequest, lock_tenants, refresh
from orchestration.warehouse.tenants import require_tenant

FAMILY = "outreach"


@dataclass(frozen=True)
class ErasurePlan:
    """What our tables know of a contact that the source has no more."""

    tenant_id: str
    contact_id: str
    messages: int
    events: int
    campaigns: int


@dataclass(frozen=True)
class Erasure:
    """Rows that went over to the key ``__erased__``, by table, and the refresh after it."""

    rows_changed: dict[str, int]
    refresh: RefreshOutcome


def plan_erasure(connection: psycopg.Connection, tenant_id: str, contact_id: str) -> ErasurePlan:
    """What erasing the contact takes; ``InputError`` while the source has it, or if we have not."""
    require_tenant(connection, FAMILY, tenant_id)
    shown = f"contact {contact_id[:80]!r} of {tenant_id}"
    left = connection.execute(
        "select source_table, row_count from ops.outreach_source_of_contact(%s, %s)",
        [tenant_id, contact_id],
    ).fetchall()
    if left:
        what = ", ".join(f"{source} rows: {rows}" for source, rows in left)
        raise InputError(f"the source still has {shown} ({what}): delete it in the source first")
    known = dict(
        connection.execute(
            "select what, count(*) from ops.outreach_ids_of_contact(%s, %s) group by what",
            [tenant_id, contact_id],
        ).fetchall()
    )
    if not known:
        raise InputError(f"unknown {shown}: the rollups never had it, or it is erased already")
    return ErasurePlan(
        tenant_id,
        contact_id,
        messages=known.get("message", 0),
        events=known.get("event", 0),
        campaigns=known.get("campaign", 0),
    )


def erase(
    settings: Settings,
    url: str,
    plan: ErasurePlan,
    requested_by: str,
    *,
    on_wait: Callable[[list[str]], None] | None = None,
) -> Erasure:
    """Erase a planned contact and refresh its tenant; run it again after a crash at any point.

    The ledgers change in one transaction, which notes the rollups' keys as touched: whatever
    refresh comes next does them. Raises what :func:`refresh` raises, or ``InputError`` when the
    source has the contact again.
    """
    with connect(url, application="rollups erase") as connection:
        write_config(connection, settings)
        lock_tenants(connection, FAMILY, [plan.tenant_id], on_wait)
        # Nobody writes the tenant now; it is looked at again.
        plan_erasure(connection, plan.tenant_id, plan.contact_id)
        try:
            row = connection.execute(
                "select ops.outreach_erase_contact(%s, %s, %s)",
                [plan.tenant_id, plan.contact_id, requested_by],
            ).fetchone()
        except psycopg.errors.RaiseException as error:
            raise InputError(one_line(error)) from None
        except psycopg.Error as error:
            raise DatabaseError(
                f"rollups erase: {one_line(error)} (nothing was changed)"
            ) from error
    request = RefreshRequest(FAMILY, "erasure", tenant_ids=(plan.tenant_id,))
    return Erasure(row[0] if row else {}, refresh(settings, url, request, on_wait=on_wait))
