"""Where the database is and how to connect to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict

from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.errors import DatabaseError
from orchestration.settings import Settings

CONNECT_TIMEOUT_SECONDS = 10
NETWORK_TIMEOUT_SECONDS = 60
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
    url: str,
    *,
    application: str = "rollups",
    autocommit: bool = True,
    limits: Settings | None = None,
) -> psycopg.Connection:
    """Connect in UTC; with ``limits`` as a refresh does, which gives up what takes too long.

    Raises ``DatabaseError`` with one line for a server that is down, a wrong password, a missing
    database or a server older than PostgreSQL 15.
    """
    options = f"-c TimeZone=UTC -c client_min_messages=warning {_READ_COMMITTED}"
    try:
        network: dict[str, Any] = network_limits(url, limits)
        connection = psycopg.connect(
            url,
            autocommit=autocommit,
            application_name=application,
            connect_timeout=min(CONNECT_TIMEOUT_SECONDS, _silent_seconds(limits)),
            options=f"{options} {session_limits(limits)}" if limits else options,
            **network,
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


def network_limits(url: str, limits: Settings | None = None) -> dict[str, int]:
    """libpq's parameters that end a connection over a network that fell silent.

    Without them a client waits for hours. What the URL itself says stays as it is.
    """
    said = conninfo_to_dict(url)
    parameters = _network_parameters(_silent_seconds(limits))
    return {name: n for name, n in parameters.items() if name not in said}


def session_limits(settings: Settings) -> str:
    """The limits of a refresh as ``-c`` options, with the server's side of ``network_limits``."""
    network = _network_parameters(settings.network_timeout_seconds)
    limits = {
        "lock_timeout": f"{settings.lock_timeout_seconds}s",
        "statement_timeout": f"{settings.statement_timeout_seconds}s",
        "tcp_keepalives_idle": network["keepalives_idle"],
        "tcp_keepalives_interval": network["keepalives_interval"],
        "tcp_keepalives_count": network["keepalives_count"],
        "tcp_user_timeout": network["tcp_user_timeout"],
    }
    return " ".join(f"-c {name}={value}" for name, value in limits.items())


def network_environment(settings: Settings) -> dict[str, str]:
    """``network_limits`` for dbt: libpq reads them from a service file, never from a variable."""
    parameters = _network_parameters(settings.network_timeout_seconds)
    text = "\n".join(["[rollups]", *(f"{name}={n}" for name, n in parameters.items())]) + "\n"
    path = settings.home.resolve() / "pg_service.conf"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    return {"PGSERVICEFILE": str(path), "PGSERVICE": "rollups"}


def _silent_seconds(limits: Settings | None) -> int:
    return limits.network_timeout_seconds if limits else NETWORK_TIMEOUT_SECONDS


def _network_parameters(seconds: int) -> dict[str, int]:
    return {
        "keepalives": 1,
        "keepalives_idle": max(seconds // 2, 1),
        "keepalives_interval": max(seconds // 6, 1),
        "keepalives_count": 3,
        "tcp_user_timeout": seconds * 1000,
    }


@contextmanager
def refresh_environment(settings: Settings, url: str, refresh_id: UUID) -> Iterator[None]:
    """``os.environ`` for libpq inside the block: this database, and sessions of this refresh."""
    options = (
        f"-c rollups.refresh_id={refresh_id} -c TimeZone=UTC {_READ_COMMITTED}"
        f" -c work_mem={REFRESH_WORK_MEM} {session_limits(settings)}"
    )
    changes = libpq_environment(url) | network_environment(settings)
    changes |= {
        "PGOPTIONS": options,
        "PGAPPNAME": "rollups dbt",
        "ROLLUPS_NETWORK_TIMEOUT_SECONDS": str(settings.network_timeout_seconds),
    }
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
