"""What people have put on our tables stays, however often the project is built on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from orchestration.warehouse.bootstrap import initialise
from tests.faults.trial import add_work, dbt_program, fill
from tests.outreach.warehouse import OutreachWarehouse

ROLE = "objects_stay_analyst"

# Everything that a rebuild by drop or swap would change, of all relations of ours.
_SNAPSHOTS = {
    "relations": """
        select c.oid::regclass::text, c.oid::bigint, c.relkind, c.relacl::text, c.relrowsecurity
        from pg_class as c
        where c.relnamespace::regnamespace::text = any(%s) and c.relkind in ('r', 'p', 'v', 'i')
    """,
    "constraints": """
        select conrelid::regclass::text, oid::bigint, conname, pg_get_constraintdef(oid)
        from pg_constraint
        where connamespace::regnamespace::text = any(%s)
    """,
    "policies": """
        select
            p.polrelid::regclass::text, p.oid::bigint, p.polname, p.polroles::text,
            pg_get_expr(p.polqual, p.polrelid)
        from pg_policy as p
        inner join pg_class as c on p.polrelid = c.oid
        where c.relnamespace::regnamespace::text = any(%s)
    """,
    "comments": """
        select d.objoid::regclass::text, d.objsubid, d.description
        from pg_description as d
        inner join pg_class as c on d.objoid = c.oid and d.classoid = 'pg_class'::regclass
        where c.relnamespace::regnamespace::text = any(%s)
    """,
    "what others depend on": """
        select
            r.ev_class::regclass::text, r.ev_class::bigint, d.refobjid::regclass::text,
            d.refobjsubid
        from pg_depend as d
        inner join pg_rewrite as r on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
        inner join pg_class as v on r.ev_class = v.oid
        where v.relnamespace::regnamespace::text = any(%s)
    """,
}
_SCHEMAS = ["analytics", "intermediate", "staging", "public"]


@pytest.fixture
def adorned(outreach: OutreachWarehouse) -> Iterator[OutreachWarehouse]:
    """A refreshed warehouse on whose tables somebody has put things of their own."""
    fill(outreach)
    outreach.refresh()
    role = sql.Identifier(ROLE)
    for statement in (
        "drop role if exists {}",
        "create role {}",
        "grant select on analytics.metrics_tenant_daily, analytics.rpt_tenant_daily to {}",
        "grant select (tenant_id, date) on analytics.metrics_campaign_daily to {}",
        "create index mine on analytics.metrics_contact_hourly (contact_id)",
        "alter table analytics.metrics_tenant_daily enable row level security",
        "create policy mine on analytics.metrics_tenant_daily to {} using (tenant_id = 'acme')",
        "comment on index analytics.mine is 'For the contact page'",
        "create view public.mine as select * from analytics.metrics_tenant_daily",
        "comment on view public.mine is 'Mine'",
        "create view public.rates as select * from analytics.rpt_tenant_daily",
        "create view public.events as select * from intermediate.outreach_activity_ledger",
    ):
        outreach.connection.execute(sql.SQL(statement).format(role))
    yield outreach
    outreach.connection.execute(sql.SQL("drop owned by {}").format(role))
    outreach.connection.execute(sql.SQL("drop role {}").format(role))


def snapshot(warehouse: OutreachWarehouse) -> dict[str, list[tuple[Any, ...]]]:
    found = {name: warehouse.rows(query, _SCHEMAS) for name, query in _SNAPSHOTS.items()}
    assert all(found.values()), "each has something to lose"
    return {name: sorted(rows, key=str) for name, rows in found.items()}


def dbt(warehouse: OutreachWarehouse, target: Path, *arguments: str) -> tuple[int | None, str]:
    """Exit code of a dbt command by itself, and what it says."""
    with dbt_program(warehouse.settings, warehouse.url, target, *arguments) as process:
        said = process.communicate(timeout=200)[0]
    return process.returncode, said


def test_refreshes_and_builds_again_leave_what_people_added(
    adorned: OutreachWarehouse, tmp_path: Path
) -> None:
    before = snapshot(adorned)
    for number in range(2):
        add_work(adorned, f"work{number}")
        adorned.refresh()
        assert snapshot(adorned) == before
    code, said = dbt(adorned, tmp_path, "build")
    assert code == 0, said[-3000:]
    assert snapshot(adorned) == before
    assert adorned.rows("select count(*) from public.mine") != [(0,)]
    assert adorned.rows("select count(*) from public.rates") != [(0,)]


def test_setting_up_again_leaves_what_people_added(adorned: OutreachWarehouse) -> None:
    before = snapshot(adorned)
    for _ in range(2):
        initialise(adorned.settings, adorned.url)
        assert snapshot(adorned) == before


def test_full_refresh_is_refused_before_anything_changes(
    adorned: OutreachWarehouse, tmp_path: Path
) -> None:
    """One test for all commands: dbt parses the project for the first one only."""
    add_work(adorned)
    before, rows = snapshot(adorned), adorned.row_versions()
    refreshes = adorned.rows("select count(*) from ops.refresh_log")
    for arguments in (
        ["run", "--full-refresh"],
        ["build", "--full-refresh", "--select", "metrics_tenant_daily"],
        ["run", "--full-refresh", "--select", "rpt_tenant_daily"],
        ["seed", "--full-refresh"],
    ):
        code, said = dbt(adorned, tmp_path, *arguments)
        assert code != 0, arguments
        assert "--full-refresh is refused" in said
        assert "rollups backfill" in said
        assert snapshot(adorned) == before, arguments
        assert adorned.row_versions() == rows
        assert adorned.rows("select count(*) from ops.refresh_log") == refreshes
        assert adorned.pending() == []
