"""Creating the source tables and filling them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from orchestration.embedded.demo_data.chunk import Chunk, Generator
from orchestration.embedded.demo_data.plan import DemoDataPlan
from orchestration.embedded.demo_data.table_rows import COLUMNS, TABLES
from orchestration.errors import InputError

_TABLES_SQL = Path(__file__).parent.parent / "source_outreach.sql"
_KEYS_SQL = Path(__file__).parent / "source_keys.sql"
_TYPES = (
    "campaign_channel",
    "campaign_status",
    "outbound_message_state",
    "email_verification_result",
)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DemoDataSummary:
    """What was written.

    ``rows``: rows each table holds at the end. ``tenant_timezones``: tenant id -> IANA zone,
    which the source has no column for. ``start`` and ``end``: the period, in UTC.
    """

    rows: dict[str, int]
    seconds: float
    rows_per_second: float
    tenant_timezones: dict[str, str]
    start: datetime
    end: datetime


def source_tables_exist(connection: psycopg.Connection, schema: str) -> bool:
    """Whether all outreach source tables are in ``schema``."""
    with connection.transaction():
        return set(TABLES) <= set(_existing(connection, schema))


def create_source_tables(connection: psycopg.Connection, schema: str) -> None:
    """Create the outreach source tables, and the schema if it is missing.

    Raises ``InputError`` if one of the tables or types is there already.
    """
    with connection.transaction():
        existing = _existing(connection, schema)
        if existing:
            raise InputError(
                f"schema {schema}: {', '.join(existing)} exist already, "
                "choose another schema or drop what is there"
            )
        connection.execute(sql.SQL("create schema if not exists {}").format(_name(schema)))
        with _inside(connection, schema):
            connection.execute(_statements(_TABLES_SQL))


def generate(
    connection: psycopg.Connection,
    schema: str,
    plan: DemoDataPlan,
    progress: Progress | None = None,
) -> DemoDataSummary:
    """Fill the empty source tables in one transaction.

    ``progress`` is called with a step, what is done of it and its total: step ``messages``
    counts outbound messages (written with all that belongs to them), ``keys and indexes``
    counts those. Keys and indexes are dropped for the load and created again as they were.
    Raises ``InputError`` if a table is missing or holds rows.
    """
    began = time.monotonic()
    report = progress or (lambda step, done, total: None)
    start, end = plan.period()
    plan = DemoDataPlan(plan.tenants, plan.days, plan.messages, plan.seed, end)
    with connection.transaction(), _inside(connection, schema):
        _require_empty(connection, schema)
        generator = Generator(plan)
        with _without_keys(connection, schema, report):
            rows, deleted = _write(connection, generator, plan.messages, report)
        # In two steps: rows of this very transaction have all their foreign keys checked anew
        # when one of them is set to null, and the campaign would be gone by then.
        connection.execute("delete from contact_campaigns where contact_id = %s", [deleted])
        connection.execute("delete from lead_point_of_contacts where id = %s", [deleted])
        connection.execute(sql.SQL("analyze {}").format(sql.SQL(", ").join(map(_name, TABLES))))
    seconds = time.monotonic() - began
    return DemoDataSummary(
        rows=rows,
        seconds=seconds,
        rows_per_second=sum(rows.values()) / seconds,
        tenant_timezones={tenant.id: tenant.zone for tenant in generator.tenants},
        start=start,
        end=end,
    )


def _existing(connection: psycopg.Connection, schema: str) -> list[str]:
    names = connection.execute(
        "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        "where n.nspname = %(schema)s and c.relname = any(%(tables)s) union all "
        "select t.typname from pg_type as t join pg_namespace as n on n.oid = t.typnamespace "
        "where n.nspname = %(schema)s and t.typname = any(%(types)s)",
        {"schema": schema, "tables": list(TABLES), "types": list(_TYPES)},
    )
    return [name for (name,) in names]


def _require_empty(connection: psycopg.Connection, schema: str) -> None:
    missing = sorted(set(TABLES) - set(_existing(connection, schema)))
    if missing:
        raise InputError(
            f"schema {schema}: {', '.join(missing)} missing, create the source tables first"
        )
    tables = sql.SQL(", ").join(map(_name, TABLES))
    connection.execute(sql.SQL("lock table {} in access exclusive mode").format(tables))
    for table in TABLES:
        query = sql.SQL("select exists (select from {})").format(_name(table))
        if connection.execute(query).fetchone() != (False,):
            raise InputError(
                f"{schema}.{table} holds rows: sample data goes into empty tables only, "
                "choose another schema"
            )


def _write(
    connection: psycopg.Connection, generator: Generator, messages: int, report: Progress
) -> tuple[dict[str, int], str]:
    """Copy all chunks; returns the rows that will stay and the id of the contact to delete."""
    _copy(connection, "tenants", generator.tenant_rows())
    rows = {"tenants": len(generator.tenants)} | dict.fromkeys(TABLES[1:], 0)
    report("messages", 0, messages)
    for chunk in _ahead(generator.chunks()):
        for table, text in chunk.text.items():
            _copy(connection, table, text)
            rows[table] += chunk.rows[table]
        report("messages", rows["outbound_messages"], messages)
    extra = generator.deleted_contact()
    for table, text in extra.text.items():
        _copy(connection, table, text)
    for table in ("leads", "contact_unsubscribes", "inbound_messages"):  # the rest goes with it
        rows[table] += extra.rows[table]
    return rows, extra.contact_ids[0].decode()


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each made while the server still works on the one before."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        coming = worker.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = worker.submit(next, chunks, None)
            yield chunk


def _copy(connection: psycopg.Connection, table: str, text: bytes) -> None:
    columns = sql.SQL(", ").join(map(_name, COLUMNS[table].split(", ")))
    command = sql.SQL("copy {} ({}) from stdin").format(_name(table), columns)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.write(text)


@contextmanager
def _without_keys(connection: psycopg.Connection, schema: str, report: Progress) -> Iterator[None]:
    """Drop keys and indexes, and create them again exactly as they were."""
    query = _statements(_KEYS_SQL)
    keys = connection.execute(
        query, {"schema": _quoted(connection, schema), "tables": list(TABLES)}
    )
    found = keys.fetchall()
    for drop, _ in found:
        connection.execute(drop)
    yield
    connection.execute("set local maintenance_work_mem = '256MB'")
    for done, (_, create) in enumerate(reversed(found)):
        report("keys and indexes", done, len(found))
        connection.execute(create)
    report("keys and indexes", len(found), len(found))


@contextmanager
def _inside(connection: psycopg.Connection, schema: str) -> Iterator[None]:
    """Unqualified names mean ``schema``, within the current transaction.

    After an error the rollback restores the search path.
    """
    row = connection.execute("select current_setting('search_path')").fetchone()
    before = row[0] if row else ""
    connection.execute(sql.SQL("set local search_path to {}").format(_name(schema)))
    yield
    connection.execute("select set_config('search_path', %s, true)", [before])


def _name(name: str) -> sql.Identifier:
    return sql.Identifier(name)


def _quoted(connection: psycopg.Connection, name: str) -> str:
    return sql.Identifier(name).as_string(connection)


def _statements(path: Path) -> LiteralString:
    """The text of one of our own .sql files."""
    return cast(LiteralString, path.read_text(encoding="utf-8"))
