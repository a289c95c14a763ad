"""Databases with sample data, for the tests of what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from orchestration.embedded.demo_data import DemoDataPlan

END = datetime(2026, 7, 1, tzinfo=UTC)
SMALL = DemoDataPlan(messages=2_000, days=12, end=END)


@contextmanager
def inside(database_url: str, schema: str) -> Iterator[psycopg.Connection]:
    """A connection for which unqualified names mean the schema, which need not exist yet."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("set search_path to {}").format(sql.Identifier(schema)))
        yield connection


def found(database: psycopg.Connection, what: str) -> int:
    """How many rows there are of what is written after FROM."""
    row = database.execute(f"select count(*) from {what}".encode()).fetchone()
    assert row is not None
    return row[0]
