"""What the bad rows of both families have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import sql

AT = datetime(2026, 11, 9, 12)
"""When things happen, and come in unless a row says otherwise."""
LATER = AT + timedelta(days=2)
"""When they are put right."""
TODAY = AT.date()
UNKNOWN = "__unknown__"
LONG = Random(1).randbytes(500_000).hex()
"""A megabyte of text that nothing compresses."""

W = TypeVar("W")


@dataclass(frozen=True)
class BadRow(Generic[W]):
    """A source row that cannot be counted, put beside good rows of a tenant of its own.

    ``tenant`` and ``date``: where it is quarantined, the row's own tenant and day if not said.
    ``count``: rows of the table that the tenant has when all is well.
    """

    name: str
    table: str
    reason: str
    put: Callable[[W, Any], object]
    fix: Callable[[W, Any], object]
    tenant: str | None = None
    date: date = TODAY
    count: int = 2

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class OddRow(Generic[W]):
    """A source row that looks odd and counts, or is a copy."""

    name: str
    table: str
    put: Callable[[W, Any], object]
    counted: int = 2
    duplicates: int = 0
    ignored: int = 0

    def __str__(self) -> str:
        return self.name


def drop_foreign_keys(connection: psycopg.Connection[Any], schema: str) -> None:
    """Let the rows of a schema point at nothing."""
    _drop_constraints(connection, schema, "f")


def drop_constraints(connection: psycopg.Connection[Any], schema: str) -> None:
    """Take keys, indexes and NOT NULL from a schema's tables, as a sloppy copy of them does."""
    for kind in "fup":
        _drop_constraints(connection, schema, kind)
    indexes = connection.execute(
        "select indexrelid::regclass::text from pg_index"
        " inner join pg_class on pg_class.oid = indrelid where relnamespace = %s::regnamespace",
        [schema],
    ).fetchall()
    for (name,) in indexes:
        connection.execute(sql.SQL("drop index {}").format(sql.SQL(name)))
    columns = connection.execute(
        "select attrelid::regclass::text, attname from pg_attribute"
        " inner join pg_class on pg_class.oid = attrelid"
        " where relnamespace = %s::regnamespace and relkind = 'r' and attnum > 0"
        " and attnotnull and not attisdropped",
        [schema],
    ).fetchall()
    for table, name in columns:
        connection.execute(
            sql.SQL("alter table {} alter {} drop not null").format(
                sql.SQL(table), sql.Identifier(name)
            )
        )


def _drop_constraints(connection: psycopg.Connection[Any], schema: str, kind: str) -> None:
    constraints = connection.execute(
        "select conrelid::regclass::text, conname from pg_constraint"
        " where connamespace = %s::regnamespace and contype = %s",
        [schema, kind],
    ).fetchall()
    for table, name in constraints:
        connection.execute(
            sql.SQL("alter table {} drop constraint {}").format(
                sql.SQL(table), sql.Identifier(name)
            )
        )
