"""Reconciliation: the source compared with the ledgers, by tenant and local date.

Finds what change capture cannot see: deletes, and updates that leave the ingest time alone. What
differs becomes pending; any refresh repairs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.rows import class_row

from orchestration.errors import DatabaseError, InputError
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import require_initialised, write_config
from orchestration.warehouse.connection import connect, one_line
from orchestration.warehouse.retention import prune_logs

# Another capture that ends while ours begins makes the database refuse; a new look succeeds.
ATTEMPTS = 10

Kind = Literal["missing", "gone", "changed", "pruned"]


@dataclass(frozen=True)
class PartitionDrift:
    """A part of a partition in which source and ledger differ.

    ``part``: a source table, or ``optouts``. ``kind``: the ledger lacks rows (``missing``), has
    rows too many (``gone``), has as many but not the same (``changed``), or keeps what the source
    was cut off behind (``pruned``: not pending).
    """

    tenant_id: str
    date: date
    part: str
    kind: Kind
    source_rows: int
    ledger_rows: int


@dataclass(frozen=True)
class Reconciliation:
    """One comparison: how much was compared, and what differs (``partitions``: pending now)."""

    reconciliation_id: UUID
    family: str
    started_at: datetime
    seconds: float
    partitions: int
    source_rows: int
    ledger_rows: int
    differing: int
    pruned: int
    drift: list[PartitionDrift]

    @property
    def matches(self) -> bool:
        """True when nothing became pending; what is pruned is no difference."""
        return self.differing == 0

    @property
    def tenant_ids(self) -> list[str]:
        """Tenants with something pending."""
        return sorted({each.tenant_id for each in self.drift if each.kind != "pruned"})


def reconcile(
    settings: Settings,
    url: str,
    family: str,
    *,
    tenant_ids: Sequence[str] = (),
    date_from: date | None = None,
    date_to: date | None = None,
    allow_shrink: bool = False,
) -> Reconciliation:
    """Compare the source with the ledgers of a family and note what differs as pending.

    Of ``tenant_ids`` (none: all) and the local dates from ``date_from`` to ``date_to`` (both
    included). All of it is seen as of one moment, and nobody has to wait for it: rows that
    ordinary capture notices are no difference. A comparison of everything also finds rows for the
    quarantine that capture could not see, and deletes old logs. With ``allow_shrink`` rollups also
    follow a source that was cut off behind them.

    Raises ``InputError`` for reversed dates and ``DatabaseError``.
    """
    if date_from is not None and date_to is not None and date_from > date_to:
        raise InputError(f"--from {date_from} lies after --to {date_to}: swap them")
    is_of_everything = not tenant_ids and date_from is None and date_to is None
    question = [family, list(tenant_ids) or None, date_from, date_to, allow_shrink]
    with connect(url, application="rollups reconcile") as connection:
        require_initialised(connection)
        write_config(connection, settings)
        for _ in range(ATTEMPTS):
            try:
                found = _reconcile_once(connection, question)
                if is_of_everything:
                    connection.execute("select ops.renew_quarantine(%s)", [family])
                    prune_logs(connection, family, settings.log_retention_days)
                return found
            except errors.SerializationFailure:
                continue
            except psycopg.Error as error:
                raise DatabaseError(f"reconciliation of {family}: {one_line(error)}") from error
    raise DatabaseError(
        f"reconciliation of {family}: other sessions changed pending work {ATTEMPTS} times while"
        " it looked; run it again when fewer refreshes run"
    )


def _reconcile_once(connection: psycopg.Connection, question: list[object]) -> Reconciliation:
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        # A sort or hash that spills costs more than the memory of one session.
        connection.execute("set local work_mem = '64MB'")
        row = connection.execute("select ops.reconcile(%s, %s, %s, %s, %s)", question).fetchone()
        assert row is not None
        return _read(connection, row[0])


def _read(connection: psycopg.Connection, reconciliation_id: UUID) -> Reconciliation:
    with connection.cursor(row_factory=class_row(PartitionDrift)) as cursor:
        drift = cursor.execute(
            "select tenant_id, date, part, kind, source_rows, ledger_rows"
            " from ops.reconciliation_partition where reconciliation_id = %s"
            " order by kind = 'pruned', tenant_id, date, part",
            [reconciliation_id],
        ).fetchall()
    row = connection.execute(
        "select reconciliation_id, family, started_at, seconds, partitions, source_rows,"
        " ledger_rows, differing, pruned from ops.reconciliation where reconciliation_id = %s",
        [reconciliation_id],
    ).fetchone()
    assert row is not None
    return Reconciliation(*row, drift=drift)
