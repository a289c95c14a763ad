"""While sessions commit late, in pieces and under wrong clocks, change capture misses nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from orchestration.warehouse.source_triggers import install_triggers
from tests.concurrency.writers import OUTREACH, SUPPORT, Source, Writers
from tests.outreach.warehouse import OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

pytestmark = pytest.mark.slow

Warehouse = OutreachWarehouse | SupportWarehouse

# Shorter than the transactions that idle, longer than the clocks are apart.
OVERLAP_SECONDS = 0.5
SEED = 20261121


class NewerThanTheNewest:
    """The usual rule: what is newer than the newest row seen so far (less an overlap) is new."""

    def __init__(self, source: Source, overlap: timedelta) -> None:
        self._source = source
        self._overlap = overlap
        self._newest = dict.fromkeys(source.ingest_columns, datetime(2026, 3, 2))
        self.seen: set[tuple[str, str]] = set()

    def look(self, connection: psycopg.Connection) -> None:
        for table, column in self._source.ingest_columns.items():
            rows = connection.execute(
                sql.SQL("select id::text, {column} from {table} where {column} > %s").format(
                    table=sql.Identifier(self._source.schema, table), column=sql.Identifier(column)
                ),
                [self._newest[table] - self._overlap],
            ).fetchall()
            self.seen |= {(table, row[0]) for row in rows}
            self._newest[table] = max([self._newest[table], *(row[1] for row in rows)])


def set_capture(warehouse: Warehouse, mode: str, family: str) -> None:
    warehouse.settings = warehouse.settings.model_copy(update={"change_capture": mode})
    for name, value in (("change_capture", mode), ("capture_overlap_seconds", OVERLAP_SECONDS)):
        warehouse.connection.execute(
            "update ops.config set value = %s where name = %s", [str(value), name]
        )
    if mode == "triggers":
        install_triggers(warehouse.connection, family)


def take_pending(warehouse: Warehouse, family: str) -> set[str]:
    """Capture once; the keys of what it noted, struck at once."""
    warehouse.connection.execute("select ops.capture(%s)", [family])
    rows = warehouse.rows("delete from ops.pending where family = %s returning key", family)
    return {row[0] for row in rows}


@pytest.mark.parametrize(
    ("source", "mode", "rows", "batch"),
    [
        (OUTREACH, "watermark", 100_000, 200),
        (OUTREACH, "triggers", 30_000, 100),
        (SUPPORT, "watermark", 10_000, 50),
        (SUPPORT, "triggers", 10_000, 50),
    ],
    ids=["outreach-watermark", "outreach-triggers", "support-watermark", "support-triggers"],
)
def test_no_change_is_missed_while_others_write(
    new_outreach: Callable[[], OutreachWarehouse],
    new_support: Callable[[], SupportWarehouse],
    source: Source,
    mode: str,
    rows: int,
    batch: int,
) -> None:
    make: Callable[[], Warehouse] = new_outreach if source is OUTREACH else new_support
    with make() as warehouse:
        # Each of the changes takes a fifth of the rows or less, and some are rolled back.
        source.prepare(warehouse.connection, rows // 2)
        set_capture(warehouse, mode, source.family)
        take_pending(warehouse, source.family)
        if mode == "watermark":
            source = source.watched_by_ingest_time()
        usual = NewerThanTheNewest(source, timedelta())
        usual_with_overlap = NewerThanTheNewest(source, timedelta(seconds=OVERLAP_SECONDS))

        noted: set[str] = set()
        captures = 0
        writers = Writers(warehouse.url, source, rows, SEED, batch)
        for _ in writers.while_they_write():
            noted |= take_pending(warehouse, source.family)
            usual.look(warehouse.connection)
            usual_with_overlap.look(warehouse.connection)
            captures += 1
        noted |= take_pending(warehouse, source.family)
        usual.look(warehouse.connection)
        usual_with_overlap.look(warehouse.connection)

        committed = writers.committed
        told = {change for change, _ in committed}
        assert told == set(source.changes)
        expected = {change.subject_of(number) for change, number in committed}
        missed = [
            sum(
                (change.table, row_of(change.prefix, change.row_id(number))) not in rule.seen
                for change, number in committed
                if not change.silent
            )
            for rule in (usual, usual_with_overlap)
        ]
        print(
            f"seed {SEED}: {len(committed)} rows, {captures} captures; missed by the newest row"
            f" {missed[0]}, with an overlap {missed[1]}, by ours {len(expected - noted)}"
        )
        assert len(expected) == len(committed) >= rows
        assert captures >= 5
        assert missed[0] > missed[1] > 0
        assert noted == expected


@pytest.mark.parametrize(
    ("source", "mode"),
    [
        (OUTREACH, "watermark"),
        (OUTREACH, "triggers"),
        (SUPPORT, "watermark"),
        (SUPPORT, "triggers"),
    ],
    ids=["outreach-watermark", "outreach-triggers", "support-watermark", "support-triggers"],
)
def test_refreshes_in_a_loop_end_at_the_recount(
    new_outreach: Callable[[], OutreachWarehouse],
    new_support: Callable[[], SupportWarehouse],
    source: Source,
    mode: str,
) -> None:
    make: Callable[[], Warehouse] = new_outreach if source is OUTREACH else new_support
    with make() as warehouse:
        source.prepare(warehouse.connection, 500)
        set_capture(warehouse, mode, source.family)
        if mode == "watermark":
            source = source.watched_by_ingest_time()
        refreshes = 0
        writers = Writers(warehouse.url, source, 1000, SEED, batch=20, threads=4)
        for _ in writers.while_they_write():
            warehouse.refresh()
            refreshes += 1
        warehouse.refresh()
        assert refreshes > 1
        assert warehouse.differences() == []
        assert warehouse.pending() == []


def row_of(prefix: str, row_id: str) -> str:
    """Id of the row that a change writes: an event is named after its message."""
    return f"event_{row_id}" if prefix in ("open", "click") else row_id
