"""What the roles may do: held against the catalogue, and tried."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from dagster_postgres import DagsterPostgresStorage
from prometheus_client import generate_latest
from psycopg.conninfo import conninfo_to_dict

from orchestration.dagster_environment import storage_url
from orchestration.embedded.demo_data import create_source_tables
from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import Settings
from orchestration.warehouse import roles
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.logins import set_up_logins
from orchestration.warehouse.metrics import registry
from orchestration.warehouse.quarantine import quarantined_rows
from orchestration.warehouse.security import insecure, secure
from orchestration.warehouse.status import family_status
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.security.conftest import ALICE, MINE, NOON, Secured, Session

DENIED = psycopg.errors.InsufficientPrivilege.sqlstate


@pytest.fixture
def admin(secured: Secured) -> Iterator[psycopg.Connection]:
    """An administrator, whose changes are undone."""
    with secured.admin() as connection, connection.transaction(force_rollback=True):
        yield connection


def test_the_catalogue_is_as_the_table_says(admin: psycopg.Connection, secured: Secured) -> None:
    assert insecure(admin, secured.settings) == []
    counted = admin.execute(
        "select count(*) from pg_class join pg_namespace n on n.oid = relnamespace"
        " where nspname = any (%s) and relkind in ('r', 'v')",
        [list(roles.SCHEMAS)],
    ).fetchone()
    assert counted is not None
    assert counted[0] > 60


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("create table analytics.new_mart (tenant_id text)", "analytics.new_mart has no row-level"),
        ("create table analytics.new_mart (tenant_id text)", "missing - rollups_reader: SELECT"),
        ("alter table analytics.metrics_message disable row level security", "has no row-level"),
        ("drop policy rollups_tenants on analytics.metrics_message", "lacks policy"),
        ("alter policy rollups_tenants on intermediate.support_bot_daily using (true)", "another"),
        ("alter policy rollups_all on analytics.metrics_message to public", "another policy"),
        ("create policy mine on analytics.metrics_message using (true)", "unknown policy mine"),
        ("grant select on ops.pending to rollups_tenant_reader", "too much - rollups_tenant_read"),
        ("grant select (role_name) on ops.tenant_access to rollups_reader", "too much - rollups_r"),
        ("alter view analytics.rpt_tenant_daily reset (security_invoker)", "lends readers its own"),
        ("alter view intermediate.support_daily reset (security_invoker)", "lends readers its own"),
        ("grant usage on schema ops to public", "too much - public: USAGE on schema ops"),
        ("grant execute on function ops.set_read_source to public", "too much - public: EXECUTE"),
        ("revoke select on ops.config from rollups_reader", "missing - rollups_reader: SELECT on"),
        ("grant update on sequence ops.pending_seq to rollups_writer", "sequence ops.pending_seq"),
        (
            "alter default privileges in schema analytics grant select on tables to rollups_reader",
            "default privileges on tables of schema analytics",
        ),
    ],
)
def test_every_difference_is_found(
    admin: psycopg.Connection, secured: Secured, statement: str, finding: str
) -> None:
    admin.execute(statement.encode())
    assert any(finding in line for line in insecure(admin, secured.settings))


def test_no_function_lends_its_owners_rights(admin: psycopg.Connection) -> None:
    """But those of triggers in the source, which nobody can call."""
    lent = admin.execute(
        "select proname from pg_proc where prosecdef and prorettype <> 'trigger'::regtype"
        " and pronamespace::regnamespace::text = any (%s)",
        [list(roles.SCHEMAS)],
    ).fetchall()
    assert lent == []


def catalogue(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    """Rights, policies and settings of logins, as they are stored."""
    return connection.execute(
        """
        select 'class', oid::regclass::text,
            array(select a::text from unnest(relacl) as a order by 1)::text,
            relrowsecurity::text
        from pg_class
        where relnamespace::regnamespace::text = any (%s) and relkind in ('r', 'v', 'S')
        union all
        select 'function', oid::regprocedure::text,
            array(select a::text from unnest(proacl) as a order by 1)::text, '' from pg_proc
        where pronamespace::regnamespace::text = any (%s)
        union all
        select 'policy', polname || polrelid::regclass, pg_get_expr(polqual, polrelid),
            polroles::text from pg_policy
        union all
        select 'setting', setrole::regrole::text, setconfig::text, '' from pg_db_role_setting
        union all
        select 'role', rolname, rolcanlogin::text, '' from pg_roles where rolname like 'rollups%%'
        order by 1, 2
        """,
        [list(roles.SCHEMAS), list(roles.SCHEMAS)],
    ).fetchall()


def test_init_secures_a_new_mart_and_else_changes_nothing(secured: Secured) -> None:
    with secured.admin() as admin:
        # Logins of other tests, which came after the first one.
        set_up_logins(admin)
        before = catalogue(admin)
        # As dbt leaves a table that it has just made.
        for statement in (
            "drop policy rollups_tenants on analytics.metrics_message",
            "drop policy rollups_all on analytics.metrics_message",
            "alter table analytics.metrics_message disable row level security",
            "revoke all on analytics.metrics_message from rollups_reader, rollups_tenant_reader",
            # As versions before row-level security left them.
            "grant select on staging.stg_support__events to rollups_reader",
            (
                "grant select (tenant_id, contact_id) on staging.stg_outreach__contacts"
                " to rollups_reader"
            ),
            "alter default privileges in schema analytics grant select on tables to rollups_reader",
        ):
            admin.execute(statement.encode())
        assert len(insecure(admin, secured.settings)) == 7
        assert initialise(secured.settings, secured.url) == []
        assert insecure(admin, secured.settings) == []
        assert catalogue(admin) == before


def test_a_login_has_the_settings_of_its_role(secured: Secured) -> None:
    def value(role: str, name: str) -> str:
        return str(secured.open(role).run(f"show {name}")[0][0])

    assert value(ALICE, "statement_timeout") == "1min"
    assert value(roles.READER, "statement_timeout") == "5min"
    assert value(roles.OPS_READER, "statement_timeout") == "30s"
    for role in (ALICE, roles.READER, roles.OPS_READER):
        assert value(role, "default_transaction_read_only") == "on"
        assert value(role, "idle_in_transaction_session_timeout") == "1min"
    assert value(roles.WRITER, "default_transaction_read_only") == "off"
    assert value(roles.WRITER, "client_connection_check_interval") == "1s"
    assert {value(role, "TimeZone") for role in secured.logins} == {"UTC"}


def refuse_all(session: Session, *statements: str) -> None:
    session.attempt("set default_transaction_read_only = off")
    for statement in statements:
        assert session.refused(statement) == DENIED, statement


def test_the_reader_reads_all_and_writes_nothing(secured: Secured) -> None:
    reader = secured.open(roles.READER)
    assert len(reader.run("select distinct tenant_id from analytics.metrics_tenant_daily")) == 2
    refuse_all(
        reader,
        "insert into analytics.metrics_tenant_daily (tenant_id, date) values ('x', '2025-01-01')",
        "delete from analytics.metrics_message",
        "select * from staging.stg_outreach__events",
        "select * from staging.stg_outreach__contacts",
        "select * from intermediate.outreach_activity_ledger",
        "select * from ops.tenant_access",
        "select * from ops.pending",
        "select * from dripiq_app.outbound_messages",
        "select * from public.messages",
        "create table analytics.mine (n integer)",
        "create table dagster.mine (n integer)",
    )


def test_the_ops_reader_reads_operations_and_no_rollups(secured: Secured) -> None:
    session = secured.open(roles.OPS_READER)
    assert session.run("select status from ops.refresh")[0][0] == "completed"
    assert len(session.run("select * from ops.tenant_status('outreach')")) == 2
    assert session.run("select count(*) from ops.pending") == [(0,)]
    for family in ("outreach", "support"):
        status = family_status(session.connection, family)
        assert [tenant.problem for tenant in status.tenants] == [None, None]
        assert quarantined_rows(session.connection, family) == []
    text = generate_latest(registry(session.connection, secured.settings.families)).decode()
    assert f'rollups_pending_pieces{{family="outreach",tenant="{MINE}"}} 0.0' in text
    refuse_all(
        session,
        "select * from analytics.metrics_tenant_daily",
        "select * from analytics.rpt_tenant_daily",
        "select * from visible.stg_outreach__tenants",
        f"select * from report.summary('{MINE}', now() - interval '1 day', now())",
        "select * from intermediate.outreach_activity_ledger",
        "select * from staging.stg_outreach__messages",
        "select * from ops.outreach_touched",
        "select * from ops.tenant_access",
        "select * from dripiq_app.outbound_messages",
        "delete from ops.pending",
        "insert into ops.refresh_log (refresh_id, event, family)"
        " values (gen_random_uuid(), 'started', 'outreach')",
        "create table ops.mine (n integer)",
    )


def test_dagsters_storage_has_its_schema_and_nothing_else(secured: Secured) -> None:
    session = secured.open(roles.DAGSTER)
    session.run(
        "create table dagster.of_storage (id serial primary key, body text)",
        "insert into dagster.of_storage (body) values ('run')",
        "drop table dagster.of_storage",
    )
    # Dagster itself, with this login.
    url = secured.logins[roles.DAGSTER]
    storage = DagsterPostgresStorage(storage_url(url), should_autocreate_tables=True)
    assert storage.run_storage.get_runs_count() == 0
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.dispose()
    with secured.admin() as admin:
        assert insecure(admin, secured.settings) == []
    refuse_all(
        session,
        "select * from analytics.metrics_tenant_daily",
        "select * from ops.config",
        "select * from staging.metric_registry",
        "select visible.sees_all_tenants()",
        "select * from dripiq_app.tenants",
        "create table ops.mine (n integer)",
        "create schema mine",
    )


def test_the_writer_refreshes_and_changes_no_source_and_no_rights(secured: Secured) -> None:
    session = secured.open(roles.WRITER)
    assert session.run("select count(*) from dripiq_app.tenants") == [(2,)]
    refuse_all(
        session,
        "update dripiq_app.tenants set name = 'x'",
        "delete from public.messages",
        "create table analytics.mine (n integer)",
        "drop table analytics.metrics_message",
        "alter table analytics.metrics_message disable row level security",
        "alter view analytics.rpt_tenant_daily set (security_invoker = false)",
        "insert into ops.tenant_access values ('x', 'outreach', null)",
        "select * from ops.tenant_access",
        "select ops.install_triggers('outreach')",
        "create table dagster.mine (n integer)",
        "create role mine",
    )


def test_an_analysts_view_outlives_refreshes(secured: Secured) -> None:
    alice = secured.open(ALICE)
    alice.run(
        "set default_transaction_read_only = off",
        "create view of_alice.sent as"
        " select date, sends from analytics.metrics_tenant_daily where sends > 0",
    )
    before = alice.run("select sum(sends) from of_alice.sent")[0][0]
    assert before == 3
    with OutreachWarehouse(secured.settings, secured.url) as outreach:
        for number in range(1, 4):
            for tenant in (MINE, "birch"):
                at = NOON - timedelta(days=number, hours=1)
                outreach.add_message(
                    tenant, f"contact_{tenant}", f"{tenant}_more{number}", at,
                    updated_at=datetime.now(UTC).replace(tzinfo=None),
                )  # fmt: skip
            secured.refresh("outreach")
            assert alice.run("select sum(sends) from of_alice.sent") == [(before + number,)]


def test_init_by_an_owner_who_may_make_no_roles(open_folder: Path, test_home: Path) -> None:
    """It says what to run, and the rollups work for their owner without it."""
    server = EmbeddedPostgres(open_folder / "without_roles")
    administrator = server.start()
    try:
        settings = Settings(families=("outreach",), home=test_home)
        parts = conninfo_to_dict(administrator)
        owner = f"postgresql://olga:of%20olga@{parts['host']}:{parts['port']}/hers"
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute("create role olga login password 'of olga'")
            connection.execute("create database hers owner olga")
        with psycopg.connect(owner, autocommit=True) as connection:
            create_source_tables(connection, SCHEMA)
            left = initialise(settings, owner)
            assert len(left) == 2 * len(roles.ROLES)
            assert connection.execute("select * from report.freshness()").fetchall() == []
            with psycopg.connect(administrator, autocommit=True) as other:
                for statement in left:
                    other.execute(statement.encode())
                other.execute("create role rita login in role rollups_reader")
            left = secure(connection, settings)
            assert [line.split(" set ")[0] for line in left] == [
                'alter role "rita" in database "hers"'
            ] * 4
            assert insecure(connection, settings) == []
    finally:
        server.stop("immediate")
