"""The sample data of every family: determinism, time range, and the schema left as shipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from psycopg import sql

from orchestration.embedded.demo_data import (
    DemoDataPlan,
    create_source_tables,
    generate,
    source_has_rows,
    source_tables_exist,
)
from orchestration.embedded.demo_data.outreach import OUTREACH
from orchestration.embedded.demo_data.support import SUPPORT
from orchestration.errors import InputError
from tests.sample_data import END, SMALL, found, inside

SCHEMA = "somewhere"
FAMILIES = {"outreach": OUTREACH, "support": SUPPORT}
TENANTS = {name: family.tables[0] for name, family in FAMILIES.items()}
of_every_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    with inside(database_url, SCHEMA) as connection:
        yield connection


def shape(database: psycopg.Connection) -> list[tuple[object, ...]]:
    """Every column, key and index, as the catalog describes it."""
    return database.execute(
        """
        select table_name, column_name, data_type, column_default, is_nullable
        from information_schema.columns where table_schema = %(schema)s
        union all
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid), null, null
        from pg_constraint where connamespace = %(schema)s::regnamespace
        union all
        select tablename, indexname, indexdef, null, null
        from pg_indexes where schemaname = %(schema)s
        order by 1, 2, 3
        """,
        {"schema": SCHEMA},
    ).fetchall()


def fingerprint(plan: DemoDataPlan, family: str) -> str:
    digest = hashlib.sha256()
    for chunk in FAMILIES[family].generator(plan).chunks():
        for text in chunk.text.values():
            digest.update(text)
    return digest.hexdigest()


@of_every_family
def test_no_row_lies_outside_the_period(database: psycopg.Connection, family: str) -> None:
    create_source_tables(database, SCHEMA, family)
    plan = DemoDataPlan(messages=1_500, days=3, end=END.replace(hour=10, minute=17))
    generate(database, SCHEMA, plan, family=family)
    start, end = (moment.replace(tzinfo=None) for moment in plan.period())
    columns = database.execute(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = %s and data_type like 'timestamp%%' and column_name <> 'event_at'",
        [SCHEMA],
    ).fetchall()
    assert len(columns) > 20
    for table, column in columns:
        query = sql.SQL("select min({c}), max({c}) from {t}").format(
            c=sql.Identifier(column), t=sql.Identifier(table)
        )
        row = database.execute(query).fetchone()
        assert row is not None
        assert row[0] is None or start <= row[0] <= row[1] <= end, (table, column)
    recent = end - timedelta(minutes=20)
    newest = {"outreach": "message_events", "support": "messages"}[family]
    assert found(database, f"{newest} where created_at > '{recent}'"), "it goes on to the end"


@of_every_family
def test_the_load_leaves_the_schema_as_shipped(database: psycopg.Connection, family: str) -> None:
    create_source_tables(database, SCHEMA, family)
    before = shape(database)
    steps: list[tuple[str, int, int]] = []
    generate(database, SCHEMA, SMALL, lambda *step: steps.append(step), family)
    assert shape(database) == before
    key = {
        "outreach": "message_events_message_id_outbound_messages_id_fk",
        "support": "index_messages_on_additional_attributes_campaign_id",
    }[family]
    assert key in {name for _, name, *_ in before}
    total = {"outreach": 2_000, "support": 200}[family]
    assert steps[0] == (FAMILIES[family].unit, 0, total)
    assert (FAMILIES[family].unit, total, total) in steps
    assert steps[-1][0] == "keys and indexes"
    assert steps[-1][1] == steps[-1][2] > 40
    assert database.execute("show search_path").fetchone() == (SCHEMA,)


@of_every_family
def test_create_refuses_tables_that_exist(database: psycopg.Connection, family: str) -> None:
    assert not source_tables_exist(database, SCHEMA, family)
    assert not source_has_rows(database, SCHEMA, family)
    create_source_tables(database, SCHEMA, family)
    assert source_tables_exist(database, SCHEMA, family)
    assert not source_has_rows(database, SCHEMA, family)
    with pytest.raises(InputError, match=rf"{SCHEMA}.*{TENANTS[family]}.*exist already"):
        create_source_tables(database, SCHEMA, family)
    create_source_tables(database, "Another schema", family)
    assert source_tables_exist(database, "Another schema", family)
    tiny = DemoDataPlan(tenants=1, days=1, messages=1, end=END)
    rows = generate(database, "Another schema", tiny, family=family).rows
    assert rows[TENANTS[family]] == 1
    assert source_has_rows(database, "Another schema", family)
    assert found(database, TENANTS[family]) == 0


def test_both_families_fit_into_one_schema(database: psycopg.Connection) -> None:
    for family in FAMILIES:
        create_source_tables(database, SCHEMA, family)
    rows = {family: generate(database, SCHEMA, SMALL, family=family).rows for family in FAMILIES}
    assert not rows["outreach"].keys() & rows["support"].keys()


@of_every_family
def test_generate_refuses_what_is_not_empty_or_not_there(
    database: psycopg.Connection, family: str
) -> None:
    with pytest.raises(InputError, match="create the source tables first"):
        generate(database, SCHEMA, SMALL, family=family)
    create_source_tables(database, SCHEMA, family)
    database.execute(
        {
            "outreach": "insert into tenants (id, name) values ('a', 'A real customer')",
            "support": "insert into accounts (name, created_at, updated_at)"
            " values ('A real customer', now(), now())",
        }[family].encode()
    )
    with pytest.raises(InputError, match=rf"{SCHEMA}\.{TENANTS[family]} holds rows"):
        generate(database, SCHEMA, SMALL, family=family)


@of_every_family
def test_the_same_plan_gives_the_same_rows(family: str) -> None:
    assert fingerprint(SMALL, family) == fingerprint(SMALL, family)
    others = (
        DemoDataPlan(messages=2_000, days=12, end=END, seed=8),
        DemoDataPlan(messages=2_000, days=12, end=END + timedelta(hours=1)),
        DemoDataPlan(messages=2_010, days=12, end=END),
    )
    assert fingerprint(SMALL, family) not in [fingerprint(plan, family) for plan in others]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tenants": 0}, "tenants=0: use a whole number from 1 to 1000"),
        ({"days": -1}, "days=-1: use"),
        ({"messages": 0}, "messages=0: use"),
        ({"messages": 2.5}, "messages=2.5: use"),
        ({"messages": True}, "messages=True: use"),
        ({"seed": -1}, "seed=-1: use"),
        ({"tenants": 10, "messages": 5}, "tenants=10: .* at most 5"),
        ({"end": "2026-07-01"}, "end='2026-07-01': use a datetime"),
        ({"end": datetime(1999, 1, 1, tzinfo=UTC)}, "end=1999-01-01"),
        ({"end": datetime(2300, 1, 1, tzinfo=UTC)}, "end=2300-01-01"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        DemoDataPlan(**values)


def test_the_end_is_read_in_utc() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert DemoDataPlan(end=datetime(2026, 7, 1, 5, 30, tzinfo=india)).period()[1] == END
    assert DemoDataPlan(end=datetime(2026, 7, 1)).period()[1] == END
    now = DemoDataPlan().period()[1]
    assert (now.minute, now.second, now.microsecond) == (0, 0, 0)
    assert timedelta(0) <= datetime.now(UTC) - now < timedelta(hours=1, minutes=1)
