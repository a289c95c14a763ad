"""Quieter ways out of row-level security: statistics, plans, names, views, prepared statements."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestration.warehouse import roles
from tests.security.conftest import (
    ALICE,
    BOB,
    HIDDEN,
    MINE,
    MY_ACCOUNT,
    OPEN_TO_READERS,
    ROWS,
    THEIRS,
    WRITABLE,
    Secured,
    Session,
)


def test_statistics_of_hidden_rows(alice: Session, secured: Secured) -> None:
    with secured.admin() as admin:
        admin.execute("analyze")
        known = admin.execute(
            "select count(*) from pg_stats where most_common_vals::text like '%%birch%%'"
            " or histogram_bounds::text like '%%birch%%'"
        ).fetchone()
        assert known is not None
        assert known[0] > 5
    alice.attempt(
        "select * from pg_stats", "select * from pg_stats_ext", "select * from pg_stats_ext_exprs",
        "select * from pg_stat_activity", "select * from pg_prepared_statements",
    )  # fmt: skip
    assert not alice.knows()
    stats = "select count(*) from pg_stats where schemaname = any (%s)"
    schemas = [*roles.SCHEMAS, "dripiq_app"]
    found = alice.connection.execute(
        f"{stats} and tablename not in ('config', 'capture_source', 'timezone', 'watermark',"
        " 'metric_registry', 'timezone_aliases')".encode(),
        [schemas],
    ).fetchone()
    assert found == (0,)


@pytest.mark.parametrize("scans", ["on", "off"])
def test_explain_counts_no_hidden_rows(alice: Session, rita: Session, scans: str) -> None:
    """Of a tenant that it may not see the plan counts what it counts of one there is none of."""

    def counted(session: Session, tenant: str) -> list[str]:
        rows = session.run(
            *(f"set enable_{kind} = {scans}" for kind in ("indexscan", "bitmapscan")),
            "explain (analyze, verbose, costs off, timing off, summary off, buffers off)"
            f" select * from analytics.metrics_message where tenant_id = '{tenant}'",
        )
        # Without the look-up of its own tenants, which is indented further.
        return [line.replace(tenant, "?") for (line,) in rows if not line.startswith("    ")]

    assert counted(alice, THEIRS) == counted(alice, "nobody")
    assert counted(rita, THEIRS) != counted(rita, "nobody")
    alice.heard.clear()
    alice.run("explain (analyze, verbose) select * from analytics.metrics_message")
    alice.run("explain (analyze, verbose) select * from visible.stg_support__conversations")
    assert not alice.knows()


def test_rights_that_it_has_it_cannot_pass_on(alice: Session) -> None:
    alice.attempt(
        WRITABLE,
        f"grant select on {ROWS} to public",
        "grant rollups_tenant_reader to public",
        "grant usage on schema analytics to public",
    )
    assert alice.run(
        f"select has_table_privilege('public', '{ROWS}', 'select'),"
        " has_schema_privilege('public', 'analytics', 'usage')"
    ) == [(False, False)]


def test_its_own_functions_and_operators_are_not_taken_for_ours(alice: Session) -> None:
    alice.run(
        WRITABLE,
        "create function of_alice.pg_has_role(oid, text) returns boolean language sql"
        " as 'select true'",
        "create function of_alice.to_regrole(text) returns regrole language sql"
        " as $$ select 'rollups_reader'::pg_catalog.regrole $$",
        "create function of_alice.told(text, text) returns boolean language plpgsql"
        " as $$ begin raise notice 'told % %', $1, $2; return true; end $$",
        "create operator of_alice.= (leftarg = text, rightarg = text, function = of_alice.told)",
        "create operator of_alice.~ (leftarg = text, rightarg = text, function = of_alice.told)",
        "create temporary table my_tenants (family text, tenant_id text)",
        "insert into my_tenants values ('outreach', 'b' || 'irch'), ('support', '2')",
        "create temporary table tenant_access (role_name text, family text, tenant_id text)",
        "insert into tenant_access select current_user, family, tenant_id from my_tenants",
        f"create temporary view metrics_tenant_daily as select * from {ROWS}",
    )
    for path in ("of_alice, pg_temp, pg_catalog, ops, visible", "pg_temp, of_alice, pg_catalog"):
        alice.heard.clear()
        alice.run(f"set search_path = {path}")
        assert alice.run("select visible.sees_all_tenants()") == [(False,)]
        for relation in (*OPEN_TO_READERS, "metrics_tenant_daily", "visible.pending"):
            alice.attempt(f"select t::text from {relation} as t")
        alice.attempt(
            "select * from report.freshness()",
            f"select * from report.summary('{MINE}', pg_catalog.now() - interval '9 days', now())",
            f"select * from report.summary('{MY_ACCOUNT}', now() - interval '9 days', now())",
            "select * from report.aggregate('2', 'conversations_count',"
            " now() - interval '9 days', now())",
        )
        assert not alice.knows()
        assert alice.knows(MINE)


def test_functions_in_private_views_are_bound(secured: Secured) -> None:
    """A body kept as text is read anew with the asker's search_path: none may see hidden rows."""
    with secured.admin() as admin:
        found = admin.execute(
            """
            with recursive reached (oid) as (
                select class.oid from pg_class as class
                where class.relnamespace = 'visible'::regnamespace
                union
                select used.refobjid
                from reached
                join pg_rewrite as rule on rule.ev_class = reached.oid
                join pg_depend as used
                    on used.objid = rule.oid and used.classid = 'pg_rewrite'::regclass
                    and used.refclassid = 'pg_class'::regclass
            )
            select distinct proc.oid::regprocedure::text
            from reached
            join pg_rewrite as rule on rule.ev_class = reached.oid
            join pg_depend as used
                on used.objid = rule.oid and used.classid = 'pg_rewrite'::regclass
                and used.refclassid = 'pg_proc'::regclass
            join pg_proc as proc on proc.oid = used.refobjid
            where proc.prosqlbody is null and proc.pronamespace <> 'pg_catalog'::regnamespace
            """
        ).fetchall()
    assert found == []


def test_other_ways_of_reading_a_table(alice: Session) -> None:
    alice.run(WRITABLE)
    alice.attempt(
        f"table {ROWS}",
        f"select t::text from only {ROWS} as t",
        f"select t::text, ctid, xmin, tableoid from {ROWS} as t where ctid >= '(0,0)'",
        f"select t::text from {ROWS} as t tablesample system (100)",
        f"create table of_alice.copied as select * from {ROWS}",
        "select t::text from of_alice.copied as t",
        f"create materialized view of_alice.kept as select * from {ROWS}",
        "select t::text from of_alice.kept as t",
        f"do $$ declare r record; begin for r in select * from {ROWS} loop"
        " raise notice '%', r; end loop; end $$",
        f"select query_to_xml('select * from {ROWS}', true, true, '')",
        "select schema_to_xml('analytics', true, true, '')",
        f"select * from ts_stat('select to_tsvector(tenant_id) from {ROWS}')",
        f"select t::text from {ROWS} as t for update",
    )
    with alice.connection.cursor() as cursor, cursor.copy(f"copy {ROWS} to stdout".encode()) as out:
        alice.heard += [bytes(line).decode() for line in out]
    assert alice.knows(MINE)
    assert not alice.knows()


def test_views_of_one_tenant_reader_show_another_only_its_own(secured: Secured) -> None:
    alice, bob = secured.open(ALICE), secured.open(BOB)
    alice.run(
        WRITABLE,
        f"create view of_alice.shared as select * from {ROWS}",
        f"grant usage on schema of_alice to {secured.name(BOB)}",
        f"grant select on of_alice.shared to {secured.name(BOB)}",
    )
    assert {row[0] for row in alice.run("select tenant_id from of_alice.shared")} == {MINE}
    assert {row[0] for row in bob.run("select tenant_id from of_alice.shared")} <= {THEIRS}


def test_a_prepared_statement_after_another_role_is_taken(
    secured: Secured, new_login: Callable[..., str]
) -> None:
    """A pool's login that takes a person's role for each transaction."""
    url = new_login(secured.url, "pool", [], inherits=False)
    with secured.admin() as admin:
        for name in (ALICE, BOB):
            admin.execute(
                sql.SQL("grant {} to {}").format(
                    sql.Identifier(secured.name(name)),
                    sql.Identifier(str(conninfo_to_dict(url)["user"])),
                )
            )
    with psycopg.connect(url, autocommit=True) as connection:
        for mode in ("force_generic_plan", "force_custom_plan", "auto"):
            connection.execute(f"set plan_cache_mode = {mode}".encode())
            connection.execute(f"set role {secured.name(ALICE)}".encode())
            connection.execute(
                f"prepare seen_{mode} as select distinct tenant_id from {ROWS}".encode()
            )
            for name, tenant in ((ALICE, MINE), (BOB, THEIRS)) * 4:
                connection.execute(f"set role {secured.name(name)}".encode())
                rows = connection.execute(f"execute seen_{mode}".encode()).fetchall()
                assert rows == [(tenant,)]
            connection.execute("reset role")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"execute seen_{mode}".encode())


def test_a_grant_taken_away_is_gone_at_once(secured: Secured) -> None:
    bob = secured.open(BOB)
    bob.run(f"prepare mine as select distinct tenant_id from {ROWS}")
    assert bob.run("execute mine") == [(HIDDEN,)]
    with secured.admin() as admin:
        admin.execute("delete from ops.tenant_access where role_name = %s", [secured.name(BOB)])
        assert bob.run("execute mine") == []
        admin.execute(
            "insert into ops.tenant_access (role_name, family) values (%s, 'outreach')",
            [secured.name(BOB)],
        )
        assert sorted(bob.run("execute mine")) == [(MINE,), (THEIRS,)]
        assert bob.run("select count(*) from analytics.conversations_daily") == [(0,)]
        admin.execute(
            "update ops.tenant_access set tenant_id = %s where role_name = %s",
            [THEIRS, secured.name(BOB)],
        )
