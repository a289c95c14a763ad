"""A backfill from the command line: partitions noted as pending, then rebuilt piece by piece.

All of it is noted first, so nothing is lost when the command is killed. While the command works
it holds a lock by which other refreshes leave the noted rest to it and pass in between its
pieces; without the command the rest is pending work like any other, and the next refresh does it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from orchestration.dbt_runner import NodeListener
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.pruning import PrunedPartition, pruned_partitions
from orchestration.warehouse.recent import recent_days
from orchestration.warehouse.refresh import RefreshRequest, refresh
from orchestration.warehouse.source_contract import source_schema
from orchestration.warehouse.tenants import Partition, Tenant, dates_between

REASON = "command-line backfill"
LONG_RANGE_DAYS = 730
WAY_SECONDS = 30.0

_SQL_DIR = Path(__file__).parent / "sql"

PieceListener = Callable[[int, int], None]
"""Called with (partitions done, partitions in all) after each piece."""


@dataclass(frozen=True)
class BackfillPlan:
    """What a backfill rebuilds. ``source_rows`` is the planner's estimate of rows it reads.

    ``pruned``: partitions that would shrink, because the source has pruned what they counted.
    """

    family: str
    tenant_ids: tuple[str, ...]
    date_from: date
    date_to: date
    partitions: tuple[Partition, ...]
    pieces: tuple[tuple[Partition, ...], ...]
    source_rows: int
    pruned: tuple[PrunedPartition, ...] = ()

    @property
    def days(self) -> int:
        """Days from the first to the last date."""
        return (self.date_to - self.date_from).days + 1


@dataclass
class BackfillProgress:
    """How far a backfill is: partitions it has done, and those that others did meanwhile.

    ``noted``: all of it is pending work by now.
    """

    noted: bool = False
    done: int = 0
    done_by_others: int = 0


def plan_backfill(
    connection: psycopg.Connection,
    settings: Settings,
    family: str,
    tenants: Sequence[Tenant],
    date_from: date,
    date_to: date,
) -> BackfillPlan:
    """Every partition of the tenants and dates (both ends included), cut into pieces."""
    days = dates_between(date_from, date_to)
    partitions = [Partition(tenant.tenant_id, day) for tenant in tenants for day in days]
    return _plan(connection, settings, family, partitions, date_from, date_to)


def plan_rest(
    connection: psycopg.Connection,
    settings: Settings,
    family: str,
    tenants: Sequence[Tenant],
    date_from: date,
    date_to: date,
) -> BackfillPlan:
    """What earlier backfills from the command line have left, within tenants and dates."""
    rows = connection.execute(
        "select tenant_id, key::date from ops.pending"
        " where family = %s and grain = 'date' and reason = %s and tenant_id = any(%s)"
        " and key::date between %s and %s order by 1, 2",
        [family, REASON, [tenant.tenant_id for tenant in tenants], date_from, date_to],
    )
    partitions = [Partition(*row) for row in rows]
    days = [partition.date for partition in partitions]
    return _plan(
        connection,
        settings,
        family,
        partitions,
        min(days, default=date_from),
        max(days, default=date_to),
    )


def run_backfill(
    settings: Settings,
    url: str,
    plan: BackfillPlan,
    progress: BackfillProgress,
    *,
    on_piece: PieceListener = lambda done, total: None,
    on_node: NodeListener | None = None,
    on_wait: Callable[[list[str]], None] | None = None,
) -> None:
    """Note all of a plan as pending, then rebuild its pieces in order, counted in ``progress``.

    Raises what :func:`refresh` raises; pieces not done by then stay pending.
    """
    with connect(url, application="rollups backfill") as connection:
        _take_charge(connection, plan.family)
        _note(connection, plan)
        progress.noted = True
        for piece in plan.pieces:
            _let_others_pass(connection, plan.family)
            left = _still_pending(connection, plan.family, piece)
            progress.done_by_others += len(piece) - len(left)
            if left:
                request = RefreshRequest(plan.family, REASON, partitions=left)
                refresh(settings, url, request, on_node=on_node, on_wait=on_wait)
                progress.done += len(left)
            on_piece(progress.done + progress.done_by_others, len(plan.partitions))


@dataclass(frozen=True)
class Budget:
    """The most that one refresh of a backfill rebuilds: ``partitions``, and ``rows`` in them.

    ``counted``: rows that each partition has so far. One of more rows than allowed goes alone.
    """

    partitions: int
    rows: int
    counted: Mapping[Partition, int]

    def left_by(self, piece: Sequence[Partition]) -> Budget:
        """What is left when these are taken."""
        rows = sum(self.counted.get(partition, 0) for partition in piece)
        return replace(self, partitions=self.partitions - len(piece), rows=self.rows - rows)

    @property
    def is_kept(self) -> bool:
        """Whether no more was taken than there was."""
        return self.partitions >= 0 and self.rows >= 0


def budget(
    connection: psycopg.Connection,
    settings: Settings,
    family: str,
    partitions: Sequence[Partition],
) -> Budget:
    """The settings' budget for these partitions, whose size the family's smallest mart tells."""
    days = [partition.date for partition in partitions]
    span = (max(days) - min(days)).days + 1 if days else 0
    newest = {partition.tenant_id: max(days) for partition in partitions}
    known = recent_days(connection, family, newest, span)
    counted = {
        Partition(tenant_id, day): sum(numbers.values())
        for tenant_id, of_tenant in known.items()
        for day, numbers in of_tenant.items()
    }
    return Budget(settings.backfill_chunk, settings.backfill_rows, counted)


def cut(partitions: Sequence[Partition], most: Budget) -> Iterator[tuple[Partition, ...]]:
    """Pieces within a budget, in order; a tenant is cut only if it does not fit into one."""
    piece: list[Partition] = []
    left = most
    for _, of_tenant in groupby(partitions, key=lambda partition: partition.tenant_id):
        whole = list(of_tenant)
        if piece and not left.left_by(whole).is_kept:
            yield tuple(piece)
            piece, left = [], most
        for partition in whole:
            left = left.left_by([partition])
            if piece and not left.is_kept:
                yield tuple(piece)
                piece, left = [], most.left_by([partition])
            piece.append(partition)
    if piece:
        yield tuple(piece)


def _plan(
    connection: psycopg.Connection,
    settings: Settings,
    family: str,
    partitions: Sequence[Partition],
    date_from: date,
    date_to: date,
) -> BackfillPlan:
    tenant_ids = tuple(dict.fromkeys(partition.tenant_id for partition in partitions))
    return BackfillPlan(
        family=family,
        tenant_ids=tenant_ids,
        date_from=date_from,
        date_to=date_to,
        partitions=tuple(partitions),
        pieces=tuple(cut(partitions, budget(connection, settings, family, partitions))),
        source_rows=_estimate(connection, settings, family, tenant_ids, date_from, date_to),
        pruned=tuple(pruned_partitions(connection, family, partitions, settings.delete_policy)),
    )


def _estimate(
    connection: psycopg.Connection,
    settings: Settings,
    family: str,
    tenant_ids: Sequence[str],
    date_from: date,
    date_to: date,
) -> int:
    script = (_SQL_DIR / f"estimate_{family}.sql").read_text(encoding="utf-8")
    statement = sql.SQL(cast(LiteralString, script))
    schema = sql.Identifier(source_schema(settings, family))
    row = connection.execute(
        statement.format(source=schema),
        {"tenant_ids": list(tenant_ids), "date_from": date_from, "date_to": date_to},
    ).fetchone()
    return int(row[0][0]["Plan"]["Plan Rows"]) if row and tenant_ids else 0


def _note(connection: psycopg.Connection, plan: BackfillPlan) -> None:
    connection.execute(
        "select ops.note_pending(%s, %s, 'date', %s, %s)",
        [
            plan.family,
            [partition.tenant_id for partition in plan.partitions],
            [partition.date.isoformat() for partition in plan.partitions],
            REASON,
        ],
    )


def _still_pending(
    connection: psycopg.Connection, family: str, piece: Sequence[Partition]
) -> tuple[Partition, ...]:
    rows = connection.execute(
        "select tenant_id, key::date from ops.pending"
        " where family = %s and grain = 'date'"
        " and (tenant_id, key) in (select * from unnest(%s::text[], %s::text[])) order by 1, 2",
        [family, [p.tenant_id for p in piece], [p.date.isoformat() for p in piece]],
    )
    return tuple(Partition(*row) for row in rows)


def _take_charge(connection: psycopg.Connection, family: str) -> None:
    """Until this connection closes, other refreshes leave noted backfill work to us."""
    connection.execute(
        "select pg_advisory_lock_shared(hashtextextended(%s, 0))", [f"rollups backfill {family}"]
    )


def _let_others_pass(connection: psycopg.Connection, family: str) -> None:
    # A refresh waits for all its tenants to be free at once and asks once a second: straight on
    # with the next piece, an hourly refresh would wait until the whole backfill is done.
    deadline = time.monotonic() + WAY_SECONDS
    while time.monotonic() < deadline:
        row = connection.execute("select ops.waiting_refreshes(%s)", [family]).fetchone()
        if row is None or row[0] == 0:
            return
        time.sleep(0.2)
