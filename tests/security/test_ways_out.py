"""Ways out of row-level security, tried by a tenant reader: none works.

Where it can be, each is tried by a reader of all tenants too, for whom it does work: so the
attempt is a real one.
"""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestration.warehouse import roles
from tests.security.conftest import (
    BOB,
    MINE,
    MY_ACCOUNT,
    OPEN_TO_READERS,
    ROWS,
    THEIR_ACCOUNT,
    THEIRS,
    WRITABLE,
    Secured,
    Session,
)

DENIED = psycopg.errors.InsufficientPrivilege.sqlstate


def test_a_tenant_reader_sees_its_tenants_and_no_other(alice: Session, rita: Session) -> None:
    for session in (alice, rita):
        session.read_everything()
        # of every table of the project that has rows
        for relation in (*OPEN_TO_READERS, "analytics.conversations_daily"):
            assert session.run(f"select t::text from {relation} as t")
    assert alice.knows(MINE)
    assert not alice.knows()
    assert rita.knows()
    hidden = f"select 1 from analytics.conversations_daily where tenant_id = '{THEIR_ACCOUNT}'"
    assert alice.run(hidden) == []
    assert rita.run(hidden)


@pytest.mark.parametrize(
    "settings",
    [
        ("set row_security = off",),
        ("set rollups.refresh_id = '00000000-0000-0000-0000-000000000000'",),
        ("set rollups.tenant_id = 'birch'", "set rollups.role = 'rollups_reader'"),
        ("set session_authorization = 'rollups'", "set local session_authorization = default"),
        ("set role = 'rollups_reader'", "set role none"),
        ("set is_superuser = on", "set session_replication_role = replica"),
        ("set search_path = visible, ops, analytics, pg_catalog",),
        ("set default_transaction_read_only = off", "set statement_timeout = 0"),
        ("set lc_messages = 'C'", "set log_statement = 'all'", "set debug_print_plan = on"),
        ("select set_config('row_security', 'off', false)", "set local_preload_libraries = 'x'"),
        ("set plan_cache_mode = force_generic_plan", "set enable_indexscan = off"),
    ],
    ids=lambda settings: settings[0],
)
def test_no_setting_opens_it(alice: Session, settings: tuple[str, ...]) -> None:
    alice.attempt(*settings)
    alice.heard.clear()
    alice.read_everything()
    alice.attempt("begin", *(one.replace("set ", "set local ", 1) for one in settings))
    alice.attempt("rollback")
    assert not alice.knows()


def test_row_security_off_is_an_error(alice: Session) -> None:
    alice.run("set row_security = off")
    assert alice.refused(f"select * from {ROWS}") == DENIED


@pytest.mark.parametrize("role", [*roles.ROLES, "pg_read_all_data", "postgres"])
def test_no_other_role_can_be_taken(alice: Session, secured: Secured, role: str) -> None:
    if role == roles.TENANT_READER:
        # The group that it is a member of: it has been granted no tenant.
        alice.run(f"set role {role}")
        assert alice.run(f"select count(*) from {ROWS}") == [(0,)]
        return
    alice.run(WRITABLE)
    owner = conninfo_to_dict(secured.url)["user"]
    for name in (role, secured.name(BOB), owner):
        assert alice.refused(f"set role {name}") in (DENIED, "22023")
        assert alice.refused(f"set session authorization {name}") in (DENIED, "22023")
    assert alice.refused(f"grant {role} to current_user") in (DENIED, "42704")
    assert alice.refused("alter role current_user bypassrls") == DENIED


def test_report_functions_know_no_other_tenant(alice: Session, rita: Session) -> None:
    window = "now() - interval '9 days', now()"
    asked = (
        "select * from report.timeseries('{0}', '{1}', {2})",
        "select * from report.aggregate('{0}', '{1}', {2}, source => 'raw')",
        "select * from report.summary('{0}', {2})",
        "select * from report.freshness('{0}')",
        "select report.timezone_of('{0}', '{1}')",
    )
    for tenant, metric, nobody in ((THEIRS, "sends", "nobody"), ("2", "resolutions_count", "9")):
        for question in asked:
            assert rita.run(question.format(tenant, metric, window))
            said = []
            for name in (tenant, nobody):
                with pytest.raises(psycopg.Error) as caught:
                    alice.run(question.format(name, metric, window))
                said.append(str(caught.value).splitlines()[0].replace(name, "?"))
            # Not even that there is such a tenant.
            assert said[0] == said[1]
            assert "not found" in said[0]
    # Members of another tenant, asked for under one's own.
    for dimension in ("agent", "inbox", "team", "label"):
        alice.refused(
            f"select * from report.aggregate('{MY_ACCOUNT}', 'conversations_count', {window},"
            f" '{dimension}', '{THEIR_ACCOUNT}')"
        )
    assert {row[1] for row in alice.run("select * from report.freshness()")} == {MINE, "1"}


def test_report_functions_answer_for_its_own(alice: Session, rita: Session) -> None:
    window = "now() - interval '9 days', now()"
    for tenant, metrics in (
        (MINE, ("sends", "delivery_rate")),
        ("1", ("resolutions_count", "conversations_count", "bot_resolutions_count")),
    ):
        for metric in metrics:
            for source in ("auto", "raw"):
                question = (
                    f"select * from report.timeseries('{tenant}', '{metric}', {window},"
                    f" 'hour', source => '{source}') where value > 0"
                )
                rows = alice.run(question)
                assert rows == rita.run(question)
                assert bool(rows) == (metric != "resolutions_count")
        question = f"select id, metric, value from report.summary('{tenant}', {window})"
        assert alice.run(question) == rita.run(question) != []
    question = f"select * from report.bot_metrics('1', {window})"
    assert alice.run(question) == rita.run(question)
    assert alice.run(question)[0][0] == 3


@pytest.mark.parametrize("relation", OPEN_TO_READERS)
def test_functions_that_tell_what_they_are_given(
    alice: Session, rita: Session, relation: str
) -> None:
    for session in (alice, rita):
        session.run(
            WRITABLE,
            "create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0001"
            " as $$ begin raise notice 'told %', $1; return true; end $$",
            "create operator pg_temp.=== (leftarg = text, rightarg = text, function = texteq)",
        )
        session.attempt(
            f"select count(*) from {relation} as t where pg_temp.tell(t.tenant_id)",
            f"select count(*) from {relation} as t where pg_temp.tell(t::text)",
            f"select count(*) from {relation} as t"
            " join (values (1)) as one (n) on pg_temp.tell(t.tenant_id)",
            f"select count(*) from {relation} as t group by t.tenant_id"
            " having pg_temp.tell(t.tenant_id)",
            f"select * from {relation} as t order by pg_temp.tell(t.tenant_id)",
            f"select * from {relation} as t where case when pg_temp.tell(t.tenant_id)"
            " then false end",
        )
        assert session.knows(f"told {MINE}")
    assert rita.knows("told birch")
    assert not alice.knows()


@pytest.mark.parametrize("relation", OPEN_TO_READERS)
def test_errors_carry_no_value_of_a_hidden_row(
    alice: Session, rita: Session, relation: str
) -> None:
    attempts = (
        # Only of hidden rows: a value of one's own would end the statement first.
        f"select tenant_id::integer from {relation} where tenant_id <> '{MINE}'",
        f"select * from {relation} where tenant_id <> '{MINE}' and tenant_id::integer = 1",
        f"select 1 / (case when tenant_id = '{MINE}' then 1 else 0 end) from {relation}",
        f"select * from {relation} where 1 / (case tenant_id when '{MINE}' then 1 else 0 end) = 1",
        f"select xmlparse(content '<' || tenant_id) from {relation} where tenant_id <> '{MINE}'",
    )
    for statement in attempts:
        rita.refused(statement)
        alice.run(statement)
    assert rita.knows()
    assert not alice.knows()


@pytest.mark.parametrize(
    "statement",
    [
        f"copy {ROWS} to program 'cat > /dev/null'",
        "copy (select 1) to '/tmp/rollups_stolen'",
        "copy pg_temp.t from program 'id'",
        "select pg_read_file('postgresql.conf')",
        "select pg_read_binary_file('PG_VERSION')",
        "select * from pg_ls_dir('.')",
        "select lo_import('/etc/passwd')",
        "select lo_export(1, '/tmp/rollups_stolen')",
        "select * from pg_hba_file_rules",
        "select * from pg_authid",
        "select * from pg_statistic",
        "select * from pg_read_server_files",
        "create extension dblink",
        "create extension postgres_fdw",
        "create server elsewhere foreign data wrapper postgres_fdw",
        "create foreign data wrapper mine",
        "create language plpython3u",
        "create function of_alice.c() returns int language c as 'libc', 'getpid'",
        "create publication mine for all tables",
        "select pg_create_logical_replication_slot('mine', 'pgoutput')",
        "create event trigger mine on ddl_command_end execute function ops.refuse_change()",
        "alter system set row_security = off",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rollups'",
    ],
)
def test_no_way_through_the_server(alice: Session, statement: str) -> None:
    alice.attempt(WRITABLE, "create temporary table t (line text)")
    # no right, or no such thing here
    assert alice.refused(statement) in (DENIED, "42P01", "42704", "0A000", "58P01", "42501")
    assert not alice.knows()


@pytest.mark.parametrize(
    "statement",
    [
        (
            "insert into ops.tenant_access (role_name, family, tenant_id)"
            " values (current_user, 'outreach', 'birch')"
        ),
        "update ops.tenant_access set role_name = current_user",
        "delete from ops.tenant_access",
        "select * from ops.tenant_access",
        "insert into visible.my_tenants values ('outreach', 'birch')",
        "create or replace view visible.my_tenants as select 'outreach', 'birch'",
        (
            "create or replace function visible.sees_all_tenants() returns boolean"
            " language sql return true"
        ),
        f"alter table {ROWS} disable row level security",
        f"create policy mine on {ROWS} using (true)",
        f"alter policy rollups_tenants on {ROWS} using (true)",
        f"drop policy rollups_tenants on {ROWS}",
        f"alter table {ROWS} owner to current_user",
        f"insert into {ROWS} (tenant_id, date) values ('birch', '2025-01-01')",
        f"update {ROWS} set tenant_id = 'acme'",
        (
            f"create trigger mine before insert on {ROWS}"
            " for each row execute function ops.refuse_change()"
        ),
        f"create rule mine as on select to {ROWS} do instead select 1",
        f"truncate {ROWS}",
        (
            "create table of_alice.child (tenant_id text, date date, foreign key (tenant_id, date)"
            f" references {ROWS} (tenant_id, date))"
        ),
        "alter default privileges for role rollups_writer grant select on tables to public",
        "select ops.set_timezone('outreach', 'birch', 'UTC')",
        "select ops.note_changed_zones('outreach')",
        *(
            f"create {what}"
            for schema in roles.SCHEMAS
            for what in (
                f"table {schema}.mine (n integer)",
                f"function {schema}.mine() returns integer language sql return 1",
            )
        ),
    ],
)
def test_what_guards_it_cannot_be_changed(alice: Session, statement: str) -> None:
    alice.run(WRITABLE)
    # 55000: a view that takes no rows; 42P16, 42809: what it would make is no such thing
    assert alice.refused(statement) in (DENIED, "55000", "42P16", "42809", "42P17")
    assert alice.run("select * from visible.my_tenants order by 1") == [
        ("outreach", MINE),
        ("support", str(MY_ACCOUNT)),
    ]
    alice.read_everything()
    assert not alice.knows()
