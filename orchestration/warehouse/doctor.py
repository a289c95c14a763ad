"""What stands in the way of right and timely rollups, and what to do about it."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import LiteralString, NamedTuple, cast

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from orchestration.errors import DatabaseError
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import is_initialised
from orchestration.warehouse.connection import one_line
from orchestration.warehouse.doctor_work import Check, work
from orchestration.warehouse.security import insecure
from orchestration.warehouse.source_contract import check_source, source_schema
from orchestration.warehouse.source_triggers import source_triggers

SQL_FOLDER = Path(__file__).parent / "sql"

CLOCK_SKEW_SECONDS = 2.0
READ_BYTES_PER_SECOND = 200 * 1024 * 1024


@dataclass(frozen=True)
class _Server:
    """The server and our role; spans of time in seconds."""

    server_version: str
    server_encoding: str
    role_name: str
    database_name: str
    is_superuser: bool
    may_create: bool
    is_read_only: bool
    is_standby: bool
    sees_all_sessions: bool
    server_time: datetime
    foreign_schemas: list[str] | None
    oldest_transaction_seconds: float | None
    oldest_prepared_seconds: float | None


class _Index(NamedTuple):
    table: str
    column: str
    purpose: str


_WANTED_INDEXES = {
    "outreach": (
        _Index("message_events", "message_id", "finding the events of a message"),
        _Index("message_events", "created_at", "finding new events"),
        _Index("outbound_messages", "updated_at", "finding new and changed messages"),
        _Index("campaign_transitions", "created_at", "finding new transitions"),
        _Index("contact_unsubscribes", "created_at", "finding new opt-outs"),
        _Index("inbound_messages", "updated_at", "finding new replies"),
    ),
    "support": (
        _Index("reporting_events", "conversation_id", "finding the events of a conversation"),
        _Index("messages", "conversation_id", "finding the messages of a conversation"),
        _Index("reporting_events", "updated_at", "finding new events"),
        _Index("conversations", "updated_at", "finding new and changed conversations"),
        _Index("messages", "updated_at", "finding new and changed messages"),
        _Index("conversations", "account_id", "finding the conversations of an account"),
        _Index("conversations", "created_at", "counting the conversations of a part of a day"),
    ),
}


def examine(
    connection: psycopg.Connection, url: str, settings: Settings, *, models_are_current: bool
) -> list[Check]:
    """Every check, in the order in which to act on them. Writes nothing.

    ``models_are_current``: whether the deployed models are those of this version.
    """
    server, skew = _server(connection)
    checks = [_versions(server), *_rights(server), _clocks(skew, settings), _server_zone(url)]
    checks += _sessions(server, settings)
    deployed = is_initialised(connection)
    for family in settings.families:
        violations = check_source(connection, settings, family)
        name = f"{family} source"
        if violations:
            checks += [
                Check("FAIL", name, f"{_where(v.table, v.column)}: {v.problem}", v.fix)
                for v in violations
            ]
        else:
            checks.append(Check("OK", name, f"{source_schema(settings, family)} can be read"))
            checks += _source_habits(connection, settings, family)
        if deployed and not violations:
            checks += _triggers(connection, settings, family)
            checks += work(connection, family)
    if deployed:
        checks.append(_roles(connection, settings))
    return [*checks, _deployment(deployed, models_are_current)]


def _roles(connection: psycopg.Connection, settings: Settings) -> Check:
    wrong = insecure(connection, settings)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        remedy = "run `rollups init`; revoke what it leaves (docs/access.md)"
        return Check("WARN", "roles", f"{wrong[0]}{more}", remedy)
    return Check("OK", "roles", "rights and policies are as they should be")


def _triggers(connection: psycopg.Connection, settings: Settings, family: str) -> list[Check]:
    if settings.change_capture != "triggers":
        return []
    found = [one for one in source_triggers(connection, family) if one.status != "no table"]
    lacking = [f"{one.relation} {one.status}" for one in found if one.status != "installed"]
    if lacking:
        return [
            Check(
                "FAIL",
                f"{family} triggers",
                f"refreshes refuse to run without them: {', '.join(lacking)}",
                "run `rollups source install-triggers`, or set ROLLUPS_CHANGE_CAPTURE=watermark",
            )
        ]
    return [Check("OK", f"{family} triggers", f"{len(found)} tables tell of their changes")]


def _server(connection: psycopg.Connection) -> tuple[_Server, float]:
    """The server, and how many seconds its clock is ahead of ours."""
    before = datetime.now(UTC)
    cursor = connection.cursor(row_factory=class_row(_Server))
    server = cursor.execute(_sql("doctor_server.sql")).fetchone()
    if server is None:
        raise DatabaseError("pg_roles does not list this role: use an ordinary PostgreSQL role")
    middle = before + (datetime.now(UTC) - before) / 2
    return server, (server.server_time - middle).total_seconds()


def _versions(server: _Server) -> Check:
    found = (
        f"PostgreSQL {server.server_version.split()[0]}, Python {platform.python_version()},"
        f" dbt {version('dbt-core')}, Dagster {version('dagster')}"
    )
    if server.server_encoding != "UTF8":
        return Check(
            "WARN",
            "versions",
            f"{found}; database encoding {server.server_encoding}",
            "use a database with encoding UTF8: names may be cut or refused",
        )
    return Check("OK", "versions", found)


def _rights(server: _Server) -> list[Check]:
    if server.is_standby or server.is_read_only:
        what = "a standby" if server.is_standby else "read-only for this role"
        return [
            Check(
                "FAIL",
                "rights",
                f"this database is {what}",
                "point ROLLUPS_DATABASE_URL at the primary, with a role that may write",
            )
        ]
    if server.foreign_schemas:
        names = ", ".join(server.foreign_schemas)
        return [
            Check(
                "FAIL",
                "rights",
                f"{server.role_name} may not write in {names}",
                "use the role that ran `rollups init`",
            )
        ]
    if not server.may_create:
        grant = f'grant create on database "{server.database_name}" to "{server.role_name}"'
        return [
            Check(
                "WARN",
                "rights",
                f"{server.role_name} may not create schemas",
                f"only the first `rollups init` needs it: {grant}",
            )
        ]
    return [Check("OK", "rights", f"{server.role_name} may write the rollups")]


def _clocks(skew: float, settings: Settings) -> Check:
    finding = f"{abs(skew):.1f} s between this machine and the database"
    if abs(skew) > settings.capture_overlap_seconds:
        remedy = "set both clocks by NTP, or raise ROLLUPS_CAPTURE_OVERLAP_SECONDS above it"
        return Check("FAIL", "clocks", finding, remedy)
    if abs(skew) > CLOCK_SKEW_SECONDS:
        return Check("WARN", "clocks", finding, "set both clocks by NTP")
    return Check("OK", "clocks", finding)


def _server_zone(url: str) -> Check:
    zone = _default_zone(url)
    if zone.upper() in ("UTC", "ETC/UTC", "GMT", "ETC/GMT", "ETC/UCT", "UCT", "ZULU"):
        return Check("OK", "server time zone", zone)
    remedy = (
        "columns without zone that default to now() are read as UTC:"
        " alter role APPLICATION set timezone = 'UTC'"
    )
    return Check("WARN", "server time zone", f"sessions start in {zone}", remedy)


def _default_zone(url: str) -> str:
    # Our own connections pin the zone; the application's may not.
    try:
        with psycopg.connect(url, connect_timeout=10, application_name="rollups doctor") as plain:
            row = plain.execute("show timezone").fetchone()
    except psycopg.Error as error:
        raise DatabaseError(one_line(error)) from None
    return row[0] if row else "UTC"


def _sessions(server: _Server, settings: Settings) -> list[Check]:
    overlap = settings.capture_overlap_seconds
    checks = []
    if server.sees_all_sessions:
        checks.append(Check("OK", "other sessions", "their transactions can be seen"))
    else:
        checks.append(
            Check(
                "WARN",
                "other sessions",
                "transactions of other roles are hidden: one that runs longer than"
                f" {overlap} s could be missed, and the rollups count as complete {overlap} s late",
                f'grant pg_read_all_stats to "{server.role_name}"',
            )
        )
    oldest = server.oldest_transaction_seconds
    if oldest is not None and oldest > max(overlap, 900):
        checks.append(
            Check(
                "WARN",
                "long transaction",
                f"one is open since {oldest / 60:.0f} minutes",
                "end it (pg_stat_activity): rollups are complete only up to its start",
            )
        )
    prepared = server.oldest_prepared_seconds
    if prepared is not None and prepared > max(overlap, 900):
        checks.append(
            Check(
                "WARN",
                "prepared transaction",
                f"one waits since {prepared / 60:.0f} minutes",
                "commit or roll it back (pg_prepared_xacts):"
                " until then every refresh reads all again that came in since",
            )
        )
    return checks


def _source_habits(connection: psycopg.Connection, settings: Settings, family: str) -> list[Check]:
    schema = source_schema(settings, family)
    checks = []
    wanted = _WANTED_INDEXES.get(family, ())
    rows = connection.execute(
        _sql("doctor_indexes.sql"),
        {
            "schema": schema,
            "tables": [index.table for index in wanted],
            "columns": [index.column for index in wanted],
        },
    )
    purposes = {(index.table, index.column): index.purpose for index in wanted}
    for table, column, size, row_count, is_indexed in rows:
        name = f"index {table}({column})"
        if is_indexed:
            checks.append(Check("OK", name, "there is one"))
            continue
        cost = _bytes(size) + (f", about {row_count:,} rows" if row_count else "")
        seconds = size / READ_BYTES_PER_SECOND
        if seconds >= 1:
            cost += f", {seconds:,.0f} s or more"
        checks.append(
            Check(
                "WARN",
                name,
                f"without it, {purposes[table, column]} reads the whole table"
                f" at every refresh ({cost})",
                "ask the source's owner for:"
                f" create index concurrently on {schema}.{table} ({column})",
            )
        )
    if family == "outreach":
        checks.append(_delay(connection, schema))
    return checks


def _delay(connection: psycopg.Connection, schema: str) -> Check:
    """Trap: created_at written in local time differs from UTC by whole (half) hours."""
    statement = sql.SQL(_sql("doctor_delay.sql")).format(source=sql.Identifier(schema))
    events, hours = connection.execute(statement).fetchone() or (0, None)
    if events < 50 or hours is None:
        return Check("OK", "ingest delay", "too few events to tell")
    offset = round(hours * 2) / 2
    if 0.5 <= abs(offset) <= 14 and abs(hours - offset) < 0.05:
        return Check(
            "FAIL",
            "ingest delay",
            f"events come in {offset:+g} h after they happened, as a rule:"
            " message_events.created_at looks like local time, not UTC",
            "alter role APPLICATION set timezone = 'UTC', and correct the rows written so far",
        )
    return Check("OK", "ingest delay", f"median {hours * 3600:,.0f} s")


def _deployment(deployed: bool, models_are_current: bool) -> Check:
    if not deployed:
        return Check("WARN", "models", "not deployed on this database yet", "rollups init")
    if not models_are_current:
        return Check("WARN", "models", "deployed by another version or setting", "rollups init")
    return Check("OK", "models", "as of this version")


def _bytes(size: int) -> str:
    for limit, unit in ((2**30, "GB"), (2**20, "MB")):
        if size >= limit:
            return f"{size / limit:,.1f} {unit}"
    return f"{size / 1024:,.0f} kB"


def _where(table: str, column: str | None) -> str:
    return table if column is None else f"{table}.{column}"


def _sql(name: str) -> LiteralString:
    """The text of one of our own .sql files."""
    return cast(LiteralString, (SQL_FOLDER / name).read_text(encoding="utf-8"))
