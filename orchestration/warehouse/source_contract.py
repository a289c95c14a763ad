"""Does the source have the tables, columns and types that the models read?

The contract is what dbt's source YAML says (``models/staging/<family>/_sources.yml``); there is no
second list.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import yaml

from orchestration.errors import SourceContractError
from orchestration.settings import DBT_PROJECT_DIR, Settings

_ACCEPTED_TYPES = {
    "text": {"text", "character varying", "character", "uuid"},
    "timestamp": {"timestamp without time zone", "timestamp with time zone"},
    "enum": {"USER-DEFINED", "text", "character varying"},
    "jsonb": {"jsonb", "json"},
    "integer": {"integer", "bigint", "smallint"},
    "boolean": {"boolean"},
    "double precision": {"double precision", "real", "numeric"},
}


@dataclass(frozen=True)
class ContractViolation:
    """One thing that is missing or wrong in the source, and what to do."""

    table: str
    column: str | None
    problem: str
    fix: str

    def __str__(self) -> str:
        where = self.table if self.column is None else f"{self.table}.{self.column}"
        return f"{where}: {self.problem}; {self.fix}"


@dataclass(frozen=True)
class _SourceTable:
    name: str
    optional: bool
    columns: dict[str, str]


def check_source(
    connection: psycopg.Connection, settings: Settings, family: str
) -> list[ContractViolation]:
    """All violations of a family's source contract; empty when the models can read everything."""
    schema = source_schema(settings, family)
    exists = connection.execute("select to_regnamespace(quote_ident(%s))", [schema]).fetchone()
    if not exists or exists[0] is None:
        return [
            ContractViolation(
                schema,
                None,
                "this schema does not exist",
                f"create it or set ROLLUPS_{family.upper()}_SCHEMA to the source's schema",
            )
        ]
    violations: list[ContractViolation] = []
    for table in _contract(family):
        violations += _check_table(connection, schema, table)
    return violations


def require_source(connection: psycopg.Connection, settings: Settings, family: str) -> None:
    """Raise ``SourceContractError`` naming the first violation (and how many more there are)."""
    violations = check_source(connection, settings, family)
    if violations:
        more = f" (and {len(violations) - 1} more: rollups doctor)" if len(violations) > 1 else ""
        raise SourceContractError(f"{violations[0]}{more}")


def source_schema(settings: Settings, family: str) -> str:
    """The schema that holds the source tables of a family."""
    return {"outreach": settings.outreach_schema, "support": settings.support_schema}[family]


def source_tables(connection: psycopg.Connection, schema: str, family: str) -> list[str]:
    """The source tables of a family that are there."""
    rows = connection.execute(
        "select relname from pg_catalog.pg_class where relkind in ('r', 'p', 'v', 'm', 'f')"
        " and relnamespace = to_regnamespace(quote_ident(%s)) and relname = any (%s) order by 1",
        [schema, [table.name for table in _contract(family)]],
    )
    return [row[0] for row in rows]


def _contract(family: str) -> list[_SourceTable]:
    path = DBT_PROJECT_DIR / "models" / "staging" / family / "_sources.yml"
    source = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"][0]
    return [
        _SourceTable(
            name=table["name"],
            optional=bool(table.get("meta", {}).get("optional")),
            columns={
                column["name"]: column["data_type"]
                for column in table["columns"]
                if not column.get("meta", {}).get("optional")
            },
        )
        for table in source["tables"]
    ]


def _check_table(
    connection: psycopg.Connection, schema: str, table: _SourceTable
) -> list[ContractViolation]:
    name = f"{schema}.{table.name}"
    rows = connection.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_schema = %s and table_name = %s",
        [schema, table.name],
    ).fetchall()
    found: dict[str, str] = dict(rows)
    if not found:
        return _check_absent_table(connection, schema, table)
    allowed = connection.execute(
        "select has_schema_privilege(%s, 'usage')"
        " and has_table_privilege(format('%%I.%%I', %s::text, %s::text), 'select')",
        [schema, schema, table.name],
    ).fetchone()
    if allowed is not None and not allowed[0]:
        return [_no_select(name, schema)]
    violations = []
    for column, wanted in table.columns.items():
        if column not in found:
            violations.append(
                ContractViolation(
                    name, column, "this column is missing", f"add it with type {wanted}"
                )
            )
        elif found[column] not in _ACCEPTED_TYPES[wanted]:
            violations.append(
                ContractViolation(
                    name,
                    column,
                    f"type {found[column]} cannot be read",
                    f"make it {wanted} (or expose a view with that type)",
                )
            )
    return violations


def _check_absent_table(
    connection: psycopg.Connection, schema: str, table: _SourceTable
) -> list[ContractViolation]:
    # information_schema hides what we have no right to: tell that apart from a missing table.
    hidden = connection.execute(
        "select 1 from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n"
        " on c.relnamespace = n.oid where n.nspname = %s and c.relname = %s",
        [schema, table.name],
    ).fetchone()
    name = f"{schema}.{table.name}"
    if hidden:
        return [_no_select(name, schema)]
    if table.optional:
        return []
    return [
        ContractViolation(
            name,
            None,
            "this table is missing",
            "create it, or name the schema that has it in its ROLLUPS_..._SCHEMA",
        )
    ]


def _no_select(name: str, schema: str) -> ContractViolation:
    return ContractViolation(
        name,
        None,
        "no right to read it",
        f"grant usage on schema {schema} and select on {name} to this role",
    )
