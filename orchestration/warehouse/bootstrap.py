"""``rollups init``: schemas, operational tables, functions, models, roles. Run it at any time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from orchestration.dbt_runner import NodeResult, dbt_project
from orchestration.errors import DatabaseError, InputError, RefreshError, SettingsError
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect, describe, one_line, refresh_environment
from orchestration.warehouse.row_security import make_visible
from orchestration.warehouse.security import secure
from orchestration.warehouse.source_contract import require_source

SQL_FOLDER = Path(__file__).parent / "sql"
Progress = Callable[[str], None]

_DEPLOY_STEPS = (
    ("seeds of rules", ["seed"]),
    ("views over the source", ["run", "--selector", "source_views"]),
    ("ledgers and rollups", ["run", "--selector", "rollups"]),
    ("public views", ["run", "--selector", "public_views"]),
)


def initialise(settings: Settings, url: str, progress: Progress = lambda step: None) -> list[str]:
    """Bring the database to this version of the project; nothing is written if the source is unfit.

    Returns the statements about roles that an administrator must run, because we may not. The
    rollups work without them, for their owner; after them run it again.

    Raises ``SourceContractError``, ``DatabaseError`` (rights) or ``RefreshError`` (dbt).
    """
    with connect(url, application="rollups init") as connection:
        progress("checking the source tables")
        for family in settings.families:
            require_source(connection, settings, family)
        _require_create_right(connection, url)
        if settings.distribute:
            _require_citus(connection)
        progress("operational tables")
        with _deploy_lock(connection):
            _migrate(connection)
            write_config(connection, settings)
            _deploy_models(connection, settings, url, progress)
            progress("report functions")
            _run_scripts(connection, sorted((SQL_FOLDER / "report").glob("*.sql")))
            if settings.distribute:
                progress("distribution by tenant")
                _distribute(connection)
            progress("roles and rights")
            return secure(connection, settings)


def deploy(settings: Settings, url: str, models: Sequence[str]) -> list[NodeResult]:
    """Build some views and seeds again, with their tests. A failed test is a result, not an error.

    Raises ``DatabaseError`` or ``RefreshError``.
    """
    with connect(url, application="rollups deploy") as connection:
        require_initialised(connection)
        with _deploy_lock(connection), _deploying(settings, url):
            results = dbt_project(settings).run(
                ["build", "--exclude-resource-type", "unit_test", "--select", *models]
            )
            # Views that are built after these read them.
            make_visible(connection)
    built = [result for result in results if result.resource_type in ("model", "seed")]
    _require_success("deploy", built)
    return results


def ensure_schema(url: str, name: str) -> None:
    """Create a schema unless it is there; ``DatabaseError`` when it cannot be."""
    with connect(url, application="rollups init") as connection:
        found = connection.execute("select to_regnamespace(%s)", [name]).fetchone()
        if found is not None and found[0] is not None:
            return
        _require_create_right(connection, url)
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(name)))


def config_value(connection: psycopg.Connection, name: str) -> str | None:
    """A value of ``ops.config``, if it has one of this name."""
    row = connection.execute("select value from ops.config where name = %s", [name]).fetchone()
    return row[0] if row else None


def is_initialised(connection: psycopg.Connection) -> bool:
    """Whether ``rollups init`` has been run to its end on this database."""
    # The report functions come last. Asked of the catalogue, which everybody may read.
    row = connection.execute(
        "select exists (select from pg_catalog.pg_proc where proname = 'freshness'"
        " and pronamespace::regnamespace::text = 'report')"
    ).fetchone()
    return row is not None and row[0]


def require_initialised(connection: psycopg.Connection) -> None:
    """Raise ``InputError`` unless ``rollups init`` has been run on this database."""
    if not is_initialised(connection):
        raise InputError("this database has no rollups yet: run `rollups init` first")


def write_config(connection: psycopg.Connection, settings: Settings) -> None:
    """Write the settings that SQL reads. Idempotent; every refresh calls it."""
    values = {
        "families": ",".join(settings.families),
        "min_event_date": settings.min_event_date.isoformat(),
        "capture_overlap_seconds": str(settings.capture_overlap_seconds),
        "outreach_schema": settings.outreach_schema,
        "support_schema": settings.support_schema,
        "change_capture": settings.change_capture,
        "delete_policy": settings.delete_policy,
        "lock_timeout_seconds": str(settings.lock_timeout_seconds),
        "statement_timeout_seconds": str(settings.statement_timeout_seconds),
        "network_timeout_seconds": str(settings.network_timeout_seconds),
    }
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.config (name, value) values (%s, %s)"
            " on conflict (name) do update set value = excluded.value"
            " where config.value <> excluded.value",
            list(values.items()),
        )


def _require_create_right(connection: psycopg.Connection, url: str) -> None:
    row = connection.execute(
        "select has_database_privilege(current_database(), 'create'),"
        " current_setting('transaction_read_only') = 'on'"
    ).fetchone()
    if row is None or not row[0] or row[1]:
        raise DatabaseError(
            f"{describe(url)}: this role cannot create schemas here;"
            " grant create on the database to it, or use another role"
        )


def _require_citus(connection: psycopg.Connection) -> None:
    if connection.execute("select to_regclass('pg_catalog.pg_dist_partition')").fetchone() == (
        None,
    ):
        raise SettingsError(
            "ROLLUPS_DISTRIBUTE='citus': this database has no extension citus;"
            " have an administrator run `create extension citus`, or unset ROLLUPS_DISTRIBUTE"
        )


def _distribute(connection: psycopg.Connection) -> None:
    try:
        connection.execute("select ops.distribute()")
    except psycopg.Error as error:
        raise DatabaseError(f"rollups init: {one_line(error)}") from error


@contextmanager
def _deploy_lock(connection: psycopg.Connection):
    connection.execute("select pg_advisory_lock(hashtextextended('rollups deploy', 0))")
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(hashtextextended('rollups deploy', 0))")


def _migrate(connection: psycopg.Connection) -> None:
    """Apply the numbered migrations that are missing, then create all functions anew."""
    try:
        with connection.transaction():
            connection.execute("create schema if not exists ops")
            connection.execute(
                "create table if not exists ops.migration"
                " (version text primary key, applied_at timestamptz not null default now())"
            )
            applied = {row[0] for row in connection.execute("select version from ops.migration")}
            for path in sorted(SQL_FOLDER.glob("[0-9]*.sql")):
                if path.stem not in applied:
                    connection.execute(path.read_bytes())
                    connection.execute(
                        "insert into ops.migration (version) values (%s)", [path.stem]
                    )
    except psycopg.Error as error:
        raise DatabaseError(f"rollups init: {one_line(error)}") from error
    _run_scripts(connection, sorted((SQL_FOLDER / "functions").glob("*.sql")))


def _run_scripts(connection: psycopg.Connection, paths: list[Path]) -> None:
    try:
        with connection.transaction():
            for path in paths:
                connection.execute(path.read_bytes())
    except psycopg.Error as error:
        raise DatabaseError(f"rollups init: {one_line(error)}") from error


def _deploy_models(
    connection: psycopg.Connection, settings: Settings, url: str, progress: Progress
) -> None:
    with _deploying(settings, url):
        for label, arguments in _DEPLOY_STEPS:
            progress(label)
            _require_success(label, dbt_project(settings).run(arguments))
            # Views of a later step read these.
            make_visible(connection)


@contextmanager
def _deploying(settings: Settings, url: str) -> Iterator[None]:
    # A refresh id without a scope: incremental models are created empty and existing ones keep
    # every row.
    os.environ["ROLLUPS_DEPLOY"] = "1"
    try:
        with refresh_environment(settings, url, uuid4()):
            yield
    finally:
        del os.environ["ROLLUPS_DEPLOY"]


def _require_success(label: str, results: list[NodeResult]) -> None:
    failed = [result for result in results if not result.succeeded]
    if failed:
        raise RefreshError(f"{label}: {failed[0].name}: {failed[0].message}")
