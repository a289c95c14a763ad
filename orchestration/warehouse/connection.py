"""Where the database is and how to connect to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict

from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.errors import DatabaseError
from orchestration.settings import Settings

CONNECT_TIMEOUT_SECONDS = 10
MINIMUM_SERVER_VERSION = 150000
# A backfill sorts whole days; at the server's usual 4 MB each sort goes to disk.
REFRESH_WORK_MEM = "64MB"

# What change capture relies on, whatever the role's default: a statement sees what was committed.
_READ_COMMITTED = r"-c default_transaction_isolation=read\ committed"

# libpq's variables that a URL may leave to the environment; a URL of ours sets or clears them all.
_LIBPQ_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}


def embedded_postgres(settings: Settings) -> EmbeddedPostgres:
    """The embedded server of this project's home, started or not."""
    return EmbeddedPostgres(settings.home, bin_dir=settings.pg_bin, port=settings.pg_port)


def database_url(settings: Settings) -> str:
    """URL of the configured database; without one the embedded server is started."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return embedded_postgres(settings).start()


def connect(
    url: str, *, application: str = "rollups", autocommit: bool = True
) -> psycopg.Connection:
    """Connect with the session's time zone pinned to UTC.

    Raises ``DatabaseError`` with one line for a server that is down, a wrong password, a missing
    database or a server older than PostgreSQL 15.
    """
    try:
        connection = psycopg.connect(
            url,
            autocommit=autocommit,
            application_name=application,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            options=f"-c TimeZone=UTC -c client_min_messages=warning {_READ_COMMITTED}",
        )
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise DatabaseError(f"{describe(url)}: {one_line(error)}") from None
    if connection.info.server_version < MINIMUM_SERVER_VERSION:
        version = connection.info.parameter_status("server_version")
        connection.close()
        raise DatabaseError(f"{describe(url)}: PostgreSQL {version} is too old, use 15 or newer")
    return connection


def describe(url: str) -> str:
    """The database without its password, for messages."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "ROLLUPS_DATABASE_URL"
    host, port = parts.get("host", "localhost"), parts.get("port", 5432)
    return f"PostgreSQL {host}:{port}/{parts.get('dbname', '')} as {parts.get('user', '')}"


def one_line(error: BaseException) -> str:
    """The first telling line of a database error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).removeprefix("connection failed: ")


def libpq_environment(url: str) -> dict[str, str]:
    """The URL as libpq's environment variables, for dbt, psql and other libpq programs."""
    parts = conninfo_to_dict(url)
    return {
        variable: str(parts[name])
        for name, variable in _LIBPQ_VARIABLES.items()
        if parts.get(name) not in (None, "")
    }


@contextmanager
def refresh_environment(url: str, refresh_id: UUID) -> Iterator[None]:
    """``os.environ`` for libpq inside the block: this database, and sessions of this refresh.

    ``client_connection_check_interval`` ends a statement whose client was killed, so that a dead
    refresh does not go on holding locks.
    """
    options = (
        f"-c rollups.refresh_id={refresh_id} -c TimeZone=UTC {_READ_COMMITTED}"
        f" -c client_connection_check_interval=1000 -c work_mem={REFRESH_WORK_MEM}"
    )
    changes = libpq_environment(url) | {"PGOPTIONS": options, "PGAPPNAME": "rollups dbt"}
    names = set(_LIBPQ_VARIABLES.values()) | set(changes)
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
