"""Triggers in the source that tell of every change: installing, removing and listing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from orchestration.errors import DatabaseError
from orchestration.warehouse.connection import one_line

# A trigger waits for the table's running writers, and new writers wait behind it.
LOCK_TIMEOUT = "3s"
ATTEMPTS = 5

Listener = Callable[[int, int, str], None]
"""Called with (tables done, tables in all, the table) after each table."""


@dataclass(frozen=True)
class TriggerStatus:
    """A source table and its triggers.

    ``status`` is ``installed``, ``incomplete`` (some are gone or disabled), ``missing`` or
    ``no table``; ``waiting`` counts noted changes that no refresh has taken yet.
    """

    family: str
    source_table: str
    relation: str
    status: str
    installed_at: datetime | None
    waiting: int


def source_triggers(connection: psycopg.Connection, family: str) -> list[TriggerStatus]:
    """Every table of a family that triggers would watch. ``DatabaseError`` without the right."""
    try:
        rows = connection.execute(
            "select source_table, relation, status, installed_at, waiting"
            " from ops.source_triggers(%s)",
            [family],
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(f"{one_line(error)}; use the role that runs `rollups init`") from None
    return [TriggerStatus(family, *row) for row in rows]


def install_triggers(
    connection: psycopg.Connection, family: str, on_table: Listener = lambda *_: None
) -> list[TriggerStatus]:
    """Install the triggers of a family's tables one after the other, and return how they stand.

    What came in before a table's triggers is found by its ingest time, at the next refresh.
    Raises ``DatabaseError`` when a right is lacking, or when a table's writers leave no gap.
    """
    watched = [one for one in source_triggers(connection, family) if one.status != "no table"]
    for number, table in enumerate(watched, 1):
        _change(connection, "ops.install_table_triggers", table)
        on_table(number, len(watched), table.relation)
    return source_triggers(connection, family)


def remove_triggers(connection: psycopg.Connection, family: str) -> list[TriggerStatus]:
    """Remove the triggers of a family's tables, and return how they stand."""
    for table in source_triggers(connection, family):
        _change(connection, "ops.remove_table_triggers", table)
    return source_triggers(connection, family)


def _change(connection: psycopg.Connection, function: str, table: TriggerStatus) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with connection.transaction():
                connection.execute("select set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
                connection.execute(
                    f"select {function}(%s, %s)".encode(), [table.family, table.source_table]
                )
            return
        except psycopg.errors.LockNotAvailable:
            if attempt == ATTEMPTS:
                raise DatabaseError(
                    f"{table.relation}: its writers left no gap of {LOCK_TIMEOUT} in {ATTEMPTS}"
                    " attempts; run this again at a quieter time (tables that are done stay done)"
                ) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"{table.relation}: {one_line(error)}; grant trigger on it to this role"
                " (removing takes the table's owner)"
            ) from None
