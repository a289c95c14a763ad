"""What a database on several nodes asks of every table and statement: docs/scaling.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from orchestration import dbt_runner
from tests.outreach.warehouse import OutreachWarehouse
from tests.support.warehouse import SupportWarehouse
from tests.unit.test_project_rules import listed

NOON = datetime(2026, 3, 3, 12, 0)

# Tables of ours with a tenant that stay on one node, and why.
STAY = {
    "ops.tenant_setting": "settings, read with the source",
    "ops.tenant_zone": "as ops.tenant_setting",
    "ops.tenant_access": "who may see a tenant; it may be NULL, all tenants of a family",
    "ops.pending": "drives a refresh, before the tenants of it are known",
    "ops.refresh_claim": "drives a refresh, joined with the source in recursive queries",
    "ops.refresh_scope": "as ops.refresh_claim",
    "ops.refresh_partition": "a log of refreshes, read by refresh",
    "intermediate.outreach_scope_subjects": "as ops.refresh_claim, and emptied when it ends",
    "intermediate.support_scope_subjects": "as ops.refresh_claim, and emptied when it ends",
    "ops.reconciliation": "a log; its tenants are a list",
    "ops.reconciliation_partition": "a log of reconciliations, read by reconciliation",
    "ops.erasure": "a log; its key is the request",
    "ops.quarantined_row": "rows of no known tenant are in it",
    "ops.change_queue": "written by triggers in transactions of the source",
    "ops.model_rows": "counts for the status, a few rows a tenant, read for all tenants at once",
}

# Numbers that only have to grow within a tenant, and are drawn on the node that runs a refresh.
SEQUENCES = {"ops.outreach_activity_change", "ops.outreach_message_change"}


NOTHING: frozenset[str] = frozenset()


def rows(connection: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


@pytest.fixture(params=["outreach", "support"])
def warehouse(request: pytest.FixtureRequest) -> OutreachWarehouse | SupportWarehouse:
    return request.getfixturevalue(request.param)


def tables_to_distribute(warehouse: OutreachWarehouse | SupportWarehouse) -> set[str]:
    warehouse.connection.execute("select ops.put_tenant_first()")
    return {
        name
        for (name,) in rows(warehouse.connection, "select relation::text from ops.distributable")
    }


def test_every_table_with_a_tenant_is_distributed_or_says_why_not(
    warehouse: OutreachWarehouse | SupportWarehouse,
) -> None:
    found = {
        name
        for (name,) in rows(
            warehouse.connection,
            "select distinct tables.oid::regclass::text from pg_class as tables"
            " inner join pg_attribute as columns on tables.oid = columns.attrelid"
            " where columns.attname in ('tenant_id', 'tenant_ids') and tables.relkind in ('r', 'p')"
            " and tables.relnamespace::regnamespace::text in ('analytics', 'intermediate', 'ops')",
        )
    }
    there = tables_to_distribute(warehouse)
    assert len(there) > 7
    assert found - there - STAY.keys() == set(), "let every index begin with tenant_id, or say why"
    assert there & STAY.keys() == set()


def test_keys_begin_with_the_tenant_and_nothing_spans_tenants(
    warehouse: OutreachWarehouse | SupportWarehouse,
) -> None:
    there = tables_to_distribute(warehouse)
    connection = warehouse.connection
    defaults = {
        name
        for name, text in rows(
            connection,
            "select adrelid::regclass::text, pg_get_expr(adbin, adrelid) from pg_attrdef",
        )
        if "nextval" in text
    } | {
        name
        for (name,) in rows(
            connection, "select attrelid::regclass::text from pg_attribute where attidentity <> ''"
        )
    }
    assert defaults & there <= SEQUENCES
    foreign_keys = rows(
        connection,
        "select conrelid::regclass::text from pg_constraint where contype = 'f'"
        " and connamespace::regnamespace::text in ('analytics', 'intermediate', 'ops')",
    )
    assert foreign_keys == []
    triggers = {
        name for (name,) in rows(connection, "select tgrelid::regclass::text from pg_trigger")
    }
    assert triggers & there == set()


# -- Joins ------------------------------------------------------------------------------------


def conditions(join: exp.Join) -> Iterator[exp.Expr]:
    """What must hold of joined rows: conditions joined by AND, and names after USING."""
    yield from join.args.get("using") or ()
    on = join.args.get("on")
    if on is not None:
        yield from on.flatten() if isinstance(on, exp.And) else [on]


def joins_by_tenant(join: exp.Join) -> bool:
    alias = join.alias_or_name
    for condition in conditions(join):
        if isinstance(condition, exp.EQ):
            sides = [condition.left, condition.right]
            if all(
                isinstance(side, exp.Column) and side.name == "tenant_id" for side in sides
            ) and (alias in {side.text("table") for side in sides}):
                return True
        elif condition.name == "tenant_id":
            return True
    return False


def reads_from(source: Scope | exp.Expr, tables: set[str], known: frozenset[str] = NOTHING) -> bool:
    """Whether a table, or a query with all that it reads, has rows of a distributed table."""
    if isinstance(source, exp.Table):
        return f"{source.db}.{source.name}" in tables
    if not isinstance(source, Scope):
        return False
    for table in source.expression.find_all(exp.Table):
        query = None if table.db or table.name in known else source.cte_sources.get(table.name)
        if reads_from(query or table, tables, known | {table.name}):
            return True
    return False


def loose_joins(statement: exp.Expr, tables: set[str]) -> list[str]:
    """Joins of two distributed relations that are not within a tenant."""
    query = statement if isinstance(statement, exp.Query) else statement.args.get("expression")
    if not isinstance(query, exp.Query):
        return []
    found = []
    for scope in traverse_scope(query):
        select = scope.expression
        if not isinstance(select, exp.Select):
            continue
        first = select.args.get("from_") or select.args.get("from")
        before = [first.this.alias_or_name] if first else []
        for join in select.args.get("joins") or ():
            name = join.alias_or_name
            if (
                name in scope.sources
                and reads_from(scope.sources[name], tables)
                and any(b in scope.sources and reads_from(scope.sources[b], tables) for b in before)
                and not joins_by_tenant(join)
            ):
                found.append(join.sql(dialect="postgres")[:120])
            before.append(name)
    return found


@pytest.mark.parametrize(
    ("query", "is_loose"),
    [
        ("select * from a.x join a.y on x.tenant_id = y.tenant_id and x.id = y.id", False),
        ("select * from a.x join a.y using (tenant_id, id)", False),
        ("select * from a.x join a.y on x.id = y.id", True),
        ("select * from a.x join a.y on x.id = y.id or x.tenant_id = y.tenant_id", True),
        ("select * from a.x cross join a.y", True),
        ("select * from a.x join source.z on x.id = z.id", False),
        ("with q as (select * from a.y) select * from a.x join q on x.id = q.id", True),
        ("create temporary table t as select * from a.x join a.y on x.id = y.id", True),
        ("with q as (select 1 union select 2 from a.y) select * from a.x cross join q", True),
        (
            "insert into t with q as (select id from a.y) select * from a.x join q on true",
            True,
        ),
    ],
)
def test_the_rule_knows_a_join_within_a_tenant(query: str, is_loose: bool) -> None:
    assert bool(loose_joins(sqlglot.parse_one(query, read="postgres"), {"a.x", "a.y"})) is is_loose


class _Kept:
    """Stands in for ``tempfile``: what dbt runs is still there afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, **_: object) -> _Kept:
        return self

    def __enter__(self) -> str:
        return str(self.folder)

    def __exit__(self, *_: object) -> None:
        pass


def test_statements_of_a_refresh_join_within_a_tenant(
    warehouse: OutreachWarehouse | SupportWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_runner, "tempfile", SimpleNamespace(TemporaryDirectory=_Kept(tmp_path)))
    _add_rows(warehouse)
    warehouse.refresh()
    seen, found = _joins(warehouse, tmp_path)
    _add_late_event(warehouse)
    warehouse.refresh()
    seen_later, found_later = _joins(warehouse, tmp_path)
    assert seen_later > max(seen, 50), "only a later refresh compares with what is stored"
    assert not found + found_later, listed(found + found_later)


def _add_rows(warehouse: OutreachWarehouse | SupportWarehouse) -> None:
    if isinstance(warehouse, OutreachWarehouse):
        warehouse.add_tenant("acme")
        warehouse.add_contact("acme", "ann")
        warehouse.add_message("acme", "ann", "m1", NOON)
    else:
        warehouse.add_account(1)
        warehouse.add_inbox(1, 1, bot=True)
        warehouse.add_conversation(1, 1, NOON)
        warehouse.add_message(1, 1, 1, NOON)
        warehouse.add_event(1, 1, "conversation_bot_resolved", NOON, 1)


def _add_late_event(warehouse: OutreachWarehouse | SupportWarehouse) -> None:
    if isinstance(warehouse, OutreachWarehouse):
        warehouse.add_event("acme", "m1", "e1", "open", NOON + timedelta(hours=1))
    else:
        warehouse.add_event(1, 2, "conversation_resolved", NOON, 1)


def _joins(warehouse: OutreachWarehouse | SupportWarehouse, target: Path) -> tuple[int, list[str]]:
    """How many joins dbt's last statements have, and those that leave a tenant."""
    tables = tables_to_distribute(warehouse)
    seen, found = 0, []
    for path in sorted((target / "run").rglob("models/**/*.sql")):
        # Names of ours are schema.table whatever the database is called.
        text = re.sub(
            r'"[^"]+"\.("(?:ops|analytics|intermediate|staging)")', r"\1", path.read_text()
        )
        # The parser knows all of PostgreSQL but this.
        text = text.replace(" on commit drop", "")
        for statement in sqlglot.parse(text, read="postgres"):
            if statement is not None:
                seen += len(list(statement.find_all(exp.Join)))
                found += [f"{path.stem}: {join}" for join in loose_joins(statement, tables)]
    return seen, found


# Views over distributed tables alone, and what the coordinator has of the source.
SPREAD_VIEWS = {"visible.outreach_activity_metrics", "visible.quarantined_row"}
TABLES_READ = re.compile(r"(?:from|join)\s+(\w+\.\w+)")
COORDINATORS_OWN = re.compile(
    r"report\._support_\w+|(?:from|join)\s+staging\.\w+"
    r"|visible\.(?!outreach_activity_metrics|quarantined_row)\w+"
)


def test_report_functions_read_rollups_and_source_in_queries_of_their_own(
    warehouse: OutreachWarehouse | SupportWarehouse,
) -> None:
    functions = rows(
        warehouse.connection,
        "select proname, prosrc, lanname = 'plpgsql' from pg_proc"
        " inner join pg_language as languages on prolang = languages.oid"
        " where pronamespace = 'report'::regnamespace",
    )
    spread = tables_to_distribute(warehouse) | SPREAD_VIEWS
    reading = {
        name: (body, is_plpgsql)
        for name, body, is_plpgsql in functions
        if spread & set(TABLES_READ.findall(body))
    }
    assert reading
    for name, (body, is_plpgsql) in reading.items():
        assert is_plpgsql, f"{name}: Citus plans no parameters of an SQL function"
        own = COORDINATORS_OWN.search(body)
        assert not own, f"{name} reads {own and own[0]} beside a distributed table"
