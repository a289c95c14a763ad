"""Creating the source tables and filling them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from orchestration.embedded.demo_data.family import Chunk, Family, RowGenerator
from orchestration.embedded.demo_data.outreach import OUTREACH
from orchestration.embedded.demo_data.plan import DemoDataPlan
from orchestration.embedded.demo_data.support import SUPPORT
from orchestration.errors import InputError

_KEYS_SQL = Path(__file__).parent / "source_keys.sql"
_FAMILIES = MappingProxyType({"outreach": OUTREACH, "support": SUPPORT})

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DemoDataSummary:
    """What was written.

    ``rows``: rows each table holds at the end. ``tenant_timezones``: tenant id -> zone. Outreach
    tables have no column for it; support accounts carry it in their settings, and some have
    none (None) or one that nobody knows. ``start`` and ``end``: the period, in UTC.
    """

    rows: dict[str, int]
    seconds: float
    rows_per_second: float
    tenant_timezones: dict[str, str | None]
    start: datetime
    end: datetime


def source_tables_exist(
    connection: psycopg.Connection, schema: str, family: str = "outreach"
) -> bool:
    """Whether all source tables of the family are in ``schema``."""
    source = _FAMILIES[family]
    with connection.transaction():
        return set(source.tables) <= set(_existing(connection, schema, source))


def source_has_rows(connection: psycopg.Connection, schema: str, family: str = "outreach") -> bool:
    """Whether there are source tables of the family with tenants in them."""
    if not source_tables_exist(connection, schema, family):
        return False
    return _has_rows(connection, sql.Identifier(schema, _FAMILIES[family].tables[0]))


def create_source_tables(
    connection: psycopg.Connection, schema: str, family: str = "outreach"
) -> None:
    """Create the source tables of the family, and the schema if it is missing.

    Raises ``InputError`` if one of the tables or types is there already.
    """
    source = _FAMILIES[family]
    with connection.transaction():
        existing = _existing(connection, schema, source)
        if existing:
            raise InputError(
                f"schema {schema}: {', '.join(existing)} exist already, "
                "choose another schema or drop what is there"
            )
        connection.execute(sql.SQL("create schema if not exists {}").format(_name(schema)))
        with _inside(connection, schema):
            connection.execute(_statements(source.tables_sql))


def generate(
    connection: psycopg.Connection,
    schema: str,
    plan: DemoDataPlan,
    progress: Progress | None = None,
    family: str = "outreach",
) -> DemoDataSummary:
    """Fill the empty source tables of a family in one transaction.

    ``progress`` is called with a step, what is done of it and its total: step ``messages`` (or
    ``conversations``) counts those, written with all that belongs to them, ``keys and indexes``
    counts those. Keys and indexes are dropped for the load and created again as they were.
    Raises ``InputError`` if a table is missing or holds rows.
    """
    began = time.monotonic()
    report = progress or (lambda step, done, total: None)
    source = _FAMILIES[family]
    start, end = plan.period()
    plan = replace(plan, end=end)
    with connection.transaction(), _inside(connection, schema):
        _require_empty(connection, schema, source)
        generator = source.generator(plan)
        with _without_keys(connection, schema, source, report):
            rows = _write(connection, source, generator, report)
        generator.settle(connection)
        connection.execute(sql.SQL("analyze {}").format(_listed(source)))
    seconds = time.monotonic() - began
    return DemoDataSummary(
        rows=rows,
        seconds=seconds,
        rows_per_second=sum(rows.values()) / seconds,
        tenant_timezones=generator.timezones,
        start=start,
        end=end,
    )


def _existing(connection: psycopg.Connection, schema: str, source: Family) -> list[str]:
    names = connection.execute(
        "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        "where n.nspname = %(schema)s and c.relname = any(%(tables)s) union all "
        "select t.typname from pg_type as t join pg_namespace as n on n.oid = t.typnamespace "
        "where n.nspname = %(schema)s and t.typname = any(%(types)s)",
        {"schema": schema, "tables": list(source.tables), "types": list(source.types)},
    )
    return [name for (name,) in names]


def _require_empty(connection: psycopg.Connection, schema: str, source: Family) -> None:
    missing = sorted(set(source.tables) - set(_existing(connection, schema, source)))
    if missing:
        raise InputError(
            f"schema {schema}: {', '.join(missing)} missing, create the source tables first"
        )
    lock = sql.SQL("lock table {} in access exclusive mode")
    connection.execute(lock.format(_listed(source)))
    for table in source.tables:
        if _has_rows(connection, _name(table)):
            raise InputError(
                f"{schema}.{table} holds rows: sample data goes into empty tables only, "
                "choose another schema"
            )


def _has_rows(connection: psycopg.Connection, table: sql.Identifier) -> bool:
    query = sql.SQL("select exists (select from {})").format(table)
    return connection.execute(query).fetchone() == (True,)


def _write(
    connection: psycopg.Connection, source: Family, generator: RowGenerator, report: Progress
) -> dict[str, int]:
    """Copy all chunks; returns the rows that will stay."""
    rows = dict.fromkeys(source.tables, 0)
    done = 0
    report(source.unit, 0, generator.total)
    for chunk in _ahead(generator.chunks()):
        for table, text in chunk.text.items():
            _copy(connection, table, source.columns[table], text)
        for table, count in chunk.rows.items():
            rows[table] += count
        done += chunk.done
        report(source.unit, done, generator.total)
    return rows


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each made while the server still works on the one before."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        coming = worker.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = worker.submit(next, chunks, None)
            yield chunk


def _copy(connection: psycopg.Connection, table: str, columns: str, text: bytes) -> None:
    names = sql.SQL(", ").join(map(_name, columns.split(", ")))
    command = sql.SQL("copy {} ({}) from stdin").format(_name(table), names)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.write(text)


@contextmanager
def _without_keys(
    connection: psycopg.Connection, schema: str, source: Family, report: Progress
) -> Iterator[None]:
    """Drop keys and indexes, and create them again exactly as they were."""
    query = _statements(_KEYS_SQL)
    keys = connection.execute(
        query, {"schema": _quoted(connection, schema), "tables": list(source.tables)}
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


def _listed(source: Family) -> sql.Composed:
    return sql.SQL(", ").join(map(_name, source.tables))


def _name(name: str) -> sql.Identifier:
    return sql.Identifier(name)


def _quoted(connection: psycopg.Connection, name: str) -> str:
    return sql.Identifier(name).as_string(connection)


def _statements(path: Path) -> LiteralString:
    """The text of one of our own .sql files."""
    return cast(LiteralString, path.read_text(encoding="utf-8"))
