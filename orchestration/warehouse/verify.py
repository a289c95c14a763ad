"""Recount the rollups from the source tables and compare, with SQL that shares nothing with dbt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row, tuple_row

from orchestration.errors import DatabaseError, InputError, SourceContractError

SQL_DIR = Path(__file__).resolve().parent / "sql"
MAX_DIFFERENCES = 50


@dataclass(frozen=True)
class _Recount:
    """How a family is recounted: scripts that run in this order, and the tables they read."""

    scripts: tuple[str, ...]
    source_tables: tuple[str, ...]
    our_tables: tuple[tuple[str, str], ...]


_RECOUNTS = {
    "outreach": _Recount(
        scripts=(
            "verify_outreach.sql",
            "verify_outreach_activity.sql",
            "verify_outreach_marts.sql",
            "verify_compare.sql",
        ),
        source_tables=(
            "outbound_messages",
            "message_events",
            "campaign_transitions",
            "contact_campaigns",
            "lead_point_of_contacts",
            "leads",
            "tenants",
        ),
        our_tables=(
            ("ops", "config"),
            ("ops", "tenant_setting"),
            ("staging", "event_type_map"),
            ("staging", "machine_rules"),
            ("staging", "provider_capabilities"),
            ("analytics", "metrics_message"),
            ("analytics", "metrics_contact_hourly"),
            ("analytics", "metrics_campaign_daily"),
            ("analytics", "metrics_tenant_daily"),
            ("analytics", "metrics_campaign_cohort_daily"),
            ("analytics", "metrics_tenant_cohort_daily"),
        ),
    ),
    "support": _Recount(
        scripts=("verify_support.sql", "verify_compare.sql"),
        source_tables=("accounts", "reporting_events", "conversations", "messages"),
        our_tables=(
            ("ops", "config"),
            ("ops", "tenant_setting"),
            ("staging", "metric_registry"),
            ("staging", "timezone_aliases"),
            ("analytics", "reporting_events_rollups"),
            ("analytics", "conversations_daily"),
        ),
    ),
}

# What stands in for a table that a source may lack: no rows, the columns the recount reads.
NO_UNSUBSCRIBES = sql.SQL(
    "(select null::text as id, null::text as tenant_id, null::text as channel,"
    " null::text as channel_value, null::timestamp as unsubscribed_at,"
    " null::timestamp as created_at, null::text as campaign_id, null::text as contact_id"
    " where false)"
)
NO_INBOUND = sql.SQL(
    "(select null::text as id, null::text as tenant_id, null::text as campaign_id,"
    " null::text as contact_id, null::text as channel, null::timestamp as received_at,"
    " null::timestamp as updated_at"
    " where false)"
)


# The ledgers, of which only what they keep without a source is read; none is there before `init`.
_LEDGERS = {
    "activity_ledger": "tenant_id text, message_id text, activity_id text, kind text, verdict text,"
    " occurred_at timestamptz, ingested_at timestamptz, campaign_id text, contact_id text,"
    " channel text, is_machine boolean, is_block boolean, is_trackable boolean, copy_of text,"
    " is_source_gone boolean",
    "transition_ledger": "tenant_id text, campaign_id text, transition_id text, to_status text,"
    " verdict text, occurred_at timestamptz, ingested_at timestamptz, is_source_gone boolean",
    "optout_ledger": "tenant_id text, campaign_id text, contact_id text, channel text,"
    " verdict text, occurred_at timestamptz, is_machine boolean, is_source_gone boolean",
}


@dataclass(frozen=True)
class ModelVerdict:
    """One mart against its recount; ``differing_keys`` counts wrong, missing and surplus rows."""

    model: str
    rows_expected: int
    rows_actual: int
    differing_keys: int


@dataclass(frozen=True)
class Difference:
    """One value that differs. ``key`` holds the mart's key columns besides the tenant.

    A whole row has the metric ``(row)``: ``actual`` is None when the mart lacks it, ``expected``
    is None when the source does not account for it, the other side is the row as JSON.
    ``date`` is the row's tenant-local date. Timestamps are in UTC.
    """

    model: str
    tenant_id: str
    date: date
    key: dict[str, Any]
    metric: str
    expected: str | None
    actual: str | None


@dataclass(frozen=True)
class VerifyReport:
    """The verdict per model and the first differences, at most ``MAX_DIFFERENCES``.

    ``kept_rows``: rows the ledgers keep although their source is gone. No recount can know of
    them, so they are taken as they are.
    """

    models: list[ModelVerdict]
    differences: list[Difference]
    kept_rows: int = 0

    @property
    def matches(self) -> bool:
        """True when no key of any model differs."""
        return all(verdict.differing_keys == 0 for verdict in self.models)


def verify(
    connection: psycopg.Connection[Any],
    family: str,
    *,
    source_schema: str,
    date_from: date | None,
    date_to: date | None,
    tenants: Sequence[str] = (),
) -> VerifyReport:
    """Recount a family's marts from ``source_schema`` and compare them.

    Compares the rows whose tenant-local date lies in [``date_from``, ``date_to``] (both inclusive,
    None is unbounded) of ``tenants`` (empty: all). All of it is seen as of one moment, in one
    repeatable-read transaction that is rolled back, so nothing but temporary tables is written.
    ``connection`` must not be inside a transaction.

    Raises :class:`InputError` for reversed dates, :class:`SourceContractError` for a source table
    that is missing and :class:`DatabaseError` for anything else the database refuses.
    """
    if date_from is not None and date_to is not None and date_from > date_to:
        raise InputError(f"--from {date_from} lies after --to {date_to}: swap them")
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise DatabaseError("verify needs a connection outside a transaction: commit it first")
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("set transaction isolation level repeatable read")
            fragments = _source_fragments(connection, family, source_schema)
            _set_question(connection, date_from, date_to, tenants)
            for name in _RECOUNTS[family].scripts:
                script = (SQL_DIR / name).read_text(encoding="utf-8")
                connection.execute(_statement(script, fragments))
            return _read_report(connection)
    except psycopg.Error as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatabaseError(f"verify of {source_schema}: {reason}") from error


def _statement(script: str, fragments: dict[str, sql.Composable]) -> sql.Composed:
    return sql.SQL(script).format(**fragments)  # pyright: ignore[reportArgumentType]


def _source_fragments(
    connection: psycopg.Connection[Any], family: str, source_schema: str
) -> dict[str, sql.Composable]:
    """What the braces in the scripts stand for, once every table needed is known to be there."""
    for name in _RECOUNTS[family].source_tables:
        if not _has_table(connection, source_schema, name):
            raise SourceContractError(
                f"table {source_schema}.{name} is missing or may not be seen: "
                f"set ROLLUPS_{family.upper()}_SCHEMA to the schema of the source tables"
            )
    for schema, name in _RECOUNTS[family].our_tables:
        if not _has_table(connection, schema, name):
            raise DatabaseError(f"table {schema}.{name} is missing: run `rollups init` first")
    return {
        "source": sql.Identifier(source_schema),
        **{
            name: sql.Identifier("intermediate", f"outreach_{name}")
            if _has_table(connection, "intermediate", f"outreach_{name}")
            else _no_rows(columns)
            for name, columns in _LEDGERS.items()
        },
        "unsubscribes": sql.Identifier(source_schema, "contact_unsubscribes")
        if _has_table(connection, source_schema, "contact_unsubscribes")
        else NO_UNSUBSCRIBES,
        "inbound": sql.Identifier(source_schema, "inbound_messages")
        if _has_table(connection, source_schema, "inbound_messages")
        else NO_INBOUND,
    }


def _no_rows(columns: str) -> sql.Composable:
    listed = [column.strip().split(" ") for column in columns.split(",")]
    nulls = [
        sql.SQL("null::{} as {}").format(sql.SQL(type_), sql.Identifier(name))  # pyright: ignore[reportArgumentType]
        for name, type_ in listed
    ]
    return sql.SQL("(select {} where false)").format(sql.SQL(", ").join(nulls))


def _has_table(connection: psycopg.Connection[Any], schema: str, name: str) -> bool:
    cursor = connection.cursor(row_factory=scalar_row)
    found = cursor.execute(
        "select exists (select from information_schema.tables"
        " where table_schema = %s and table_name = %s)",
        (schema, name),
    ).fetchone()
    return found is True


def _set_question(
    connection: psycopg.Connection[Any],
    date_from: date | None,
    date_to: date | None,
    tenants: Sequence[str],
) -> None:
    question = {
        "rollups.verify_from": date_from.isoformat() if date_from else "",
        "rollups.verify_to": date_to.isoformat() if date_to else "",
        "rollups.verify_tenants": json.dumps(list(tenants)) if tenants else "",
    }
    for name, value in question.items():
        connection.execute("select set_config(%s, %s, true)", (name, value))


def _read_report(connection: psycopg.Connection[Any]) -> VerifyReport:
    cursor = connection.cursor(row_factory=tuple_row)
    cursor.execute(
        "select model, rows_expected, rows_actual, differing_keys"
        " from pg_temp.verify_summary join pg_temp.recounted_model using (model) order by place"
    )
    verdicts = [ModelVerdict(*row) for row in cursor]
    cursor.execute(
        "select model, tenant_id, date, key, metric, expected, actual"
        " from pg_temp.verify_difference"
        " order by array_position(%s::text[], model), tenant_id, date, key, metric limit %s",
        ([verdict.model for verdict in verdicts], MAX_DIFFERENCES),
    )
    differences = [Difference(*row) for row in cursor]
    cursor.execute("select to_regclass('pg_temp.kept_count') is not null")
    kept_rows = 0
    if cursor.fetchone() == (True,):
        ((kept_rows,),) = cursor.execute("select row_count from pg_temp.kept_count").fetchall()
    return VerifyReport(verdicts, differences, kept_rows)
