"""Rows of the source that could not be counted, and whether every row is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Quarantined:
    """Rows of a tenant, day and source table that could not be counted, for one reason.

    ``tenant_id`` is ``__unknown__`` for rows that have none, or one that cannot be a tenant's.
    """

    family: str
    tenant_id: str
    date: date
    source_table: str
    reason: str
    row_count: int


@dataclass(frozen=True)
class Intake:
    """Rows of a tenant, day and source table, and what became of them.

    ``unaccounted``: rows in the source without a verdict, or verdicts on rows that are not there
    (any more): work that is pending, or something wrong if none is.
    """

    family: str
    tenant_id: str
    date: date
    source_table: str
    rows_in: int
    counted: int
    duplicates: int
    ignored: int
    quarantined: int
    unaccounted: int


def quarantined_rows(
    connection: psycopg.Connection, family: str, tenant_ids: Sequence[str] = ()
) -> list[Quarantined]:
    """What is in quarantine, of some tenants or of all."""
    return (
        connection.cursor(row_factory=class_row(Quarantined))
        .execute(
            "select family, tenant_id, date, source_table, reason, row_count from ops.quarantine"
            " where family = %s and (%s or tenant_id = any(%s)) order by 1, 2, 3, 4, 5",
            [family, not tenant_ids, list(tenant_ids)],
        )
        .fetchall()
    )


def intake(
    connection: psycopg.Connection, family: str, tenant_ids: Sequence[str] = ()
) -> list[Intake]:
    """Rows in = counted + duplicates + ignored + quarantined; reads the whole source."""
    return (
        connection.cursor(row_factory=class_row(Intake))
        .execute(
            "select family, tenant_id, date, source_table, rows_in, counted, duplicates, ignored,"
            " quarantined, unaccounted from ops.intake"
            " where family = %s and (%s or tenant_id = any(%s)) order by 1, 2, 3, 4",
            [family, not tenant_ids, list(tenant_ids)],
        )
        .fetchall()
    )
