"""A database with outreach source tables, rule seeds and marts, filled from Python, without dbt.

For tests of the recounts: the marts hold whatever frames they are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, LiteralString

import pandas as pd
import psycopg
from psycopg import sql

from tests.outreach.marts import COLUMNS, KEYS

SOURCE = "dripiq_app"
PACKAGE = Path(__file__).resolve().parents[2] / "orchestration"
SOURCE_DDL = PACKAGE / "embedded" / "source_outreach.sql"
JSON_FUNCTIONS = PACKAGE / "warehouse" / "sql" / "functions" / "json.sql"


def create(connection: psycopg.Connection[Any]) -> None:
    """Make the schemas and empty tables that a recount reads; the caller commits."""
    for schema in (SOURCE, "ops", "staging", "analytics"):
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("set local search_path = {}").format(sql.Identifier(SOURCE)))
    connection.execute(SOURCE_DDL.read_bytes())
    connection.execute(JSON_FUNCTIONS.read_bytes())
    connection.execute("create table ops.config (name text primary key, value text not null)")
    connection.execute(
        "create table ops.tenant_setting (family text, tenant_id text, timezone text not null)"
    )
    connection.execute("create table staging.event_type_map (raw_type text, canonical_type text)")
    connection.execute(
        "create table staging.machine_rules (rule_id text, applies_to text, kind text, value text)"
    )
    connection.execute(
        "create table staging.provider_capabilities"
        " (provider text, provider_message_id_pattern text, reports_events boolean)"
    )
    for mart, columns in COLUMNS.items():
        listed = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_type(name))) for name in columns
        ]
        connection.execute(
            sql.SQL("create table {} ({})").format(
                sql.Identifier("analytics", mart), sql.SQL(", ").join(listed)
            )
        )


def _type(column: str) -> LiteralString:
    if column.endswith("_id") or column in ("channel", "status_at_close"):
        return "text"
    if column.endswith("_at") or column == "hour":
        return "timestamptz"
    if column.startswith("is_"):
        return "boolean"
    return "date" if column == "date" else "bigint"


def fill(
    connection: psycopg.Connection[Any], schema: str, table: str, rows: Iterable[Mapping[Any, Any]]
) -> None:
    """COPY rows into a table; a column that a row lacks is NULL."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not rows:
        return
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([row.get(name) for name in names])


def fill_rules(
    connection: psycopg.Connection[Any],
    seeds: Mapping[str, pd.DataFrame],
    zones: Mapping[str, str],
) -> None:
    """The seeds into schema ``staging`` and the tenants' zones into ``ops``."""
    for name, seed in seeds.items():
        fill(connection, "staging", name, seed.to_dict("records"))
    settings = [
        {"family": "outreach", "tenant_id": tenant, "timezone": zone}
        for tenant, zone in zones.items()
    ]
    fill(connection, "ops", "tenant_setting", settings)


def fill_marts(connection: psycopg.Connection[Any], marts: Mapping[str, pd.DataFrame]) -> None:
    """The marts into schema ``analytics``."""
    for name in KEYS:
        records = [
            {column: None if pd.isna(value) else value for column, value in record.items()}
            for record in marts[name].to_dict("records")
        ]
        fill(connection, "analytics", name, records)
