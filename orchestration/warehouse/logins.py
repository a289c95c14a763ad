"""Logins that have been granted one of our roles: their settings, and the writer's source tables.

PostgreSQL reads settings from the role that logs in, never from a group it is a member of: so each
login gets them, in this database alone. They are guard rails, not walls: a session may set others.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

from orchestration.settings import Settings
from orchestration.warehouse.roles import DAGSTER, OPS_READER, READER, TENANT_READER, WRITER
from orchestration.warehouse.source_contract import source_schema, source_tables

# A login with several of the roles has the settings of the first of them.
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    # A refresh whose client was killed ends within a second and leaves its locks.
    WRITER: {"TimeZone": "UTC", "client_connection_check_interval": "1s"},
    DAGSTER: {"TimeZone": "UTC", "idle_in_transaction_session_timeout": "10min"},
    READER: {"statement_timeout": "5min"},
    TENANT_READER: {"statement_timeout": "1min"},
    OPS_READER: {"statement_timeout": "30s"},
}
_OF_READERS = {
    "TimeZone": "UTC",
    "default_transaction_read_only": "on",
    # A transaction left open keeps vacuum from every table.
    "idle_in_transaction_session_timeout": "1min",
}

_MAY_USE = "has_schema_privilege(%s, %s::regnamespace, 'usage')"
_MAY_SELECT = "has_table_privilege(%s, %s::regclass, 'select')"


def settings_of(role: str) -> dict[str, str]:
    """The settings of logins with one of our roles."""
    readers = _OF_READERS if role in (READER, TENANT_READER, OPS_READER) else {}
    return {**readers, **_SETTINGS[role]}


def set_up_logins(connection: psycopg.Connection) -> list[str]:
    """Give each login the settings of its role that it has no value of its own for.

    Returns the statements that an administrator must run because we may not.
    """
    left: list[str] = []
    for login, settings in _logins(connection).items():
        for name, value in settings.items():
            statement = sql.SQL("alter role {} in database {} set {} = {}").format(
                sql.Identifier(login),
                sql.Identifier(connection.info.dbname),
                sql.Identifier(name),
                sql.Literal(value),
            )
            left += _try(connection, statement)
    return left


def grant_source(connection: psycopg.Connection, settings: Settings) -> list[str]:
    """Let the writer read the source; returns the statements that an administrator must run."""
    writer = sql.Identifier(WRITER)
    left: list[str] = []
    for family in settings.families:
        schema = source_schema(settings, family)
        statements = []
        if not _has(connection, _MAY_USE, schema):
            statements.append(
                sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), writer)
            )
        lacking = [
            sql.Identifier(schema, table)
            for table in source_tables(connection, schema, family)
            if not _has(connection, _MAY_SELECT, schema, table)
        ]
        if lacking:
            statements.append(
                sql.SQL("grant select on {} to {}").format(sql.SQL(", ").join(lacking), writer)
            )
        for statement in statements:
            left += _try(connection, statement)
    return left


def _has(connection: psycopg.Connection, question: str, *name: str) -> bool:
    quoted = sql.Identifier(*name).as_string(connection)
    row = connection.execute(f"select {question}".encode(), [WRITER, quoted]).fetchone()
    return bool(row and row[0])


def _try(connection: psycopg.Connection, statement: sql.Composed) -> list[str]:
    try:
        with connection.transaction():
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return [statement.as_string(connection)]
    except psycopg.errors.InvalidParameterValue:
        # A platform that cannot look after a client while it works.
        return []
    return []


def _logins(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    """The settings that each login of our roles still lacks."""
    rows = connection.execute(
        """
        select
            login.rolname,
            array_agg(granted.rolname),
            array(
                select lower(split_part(setting, '=', 1))
                from pg_catalog.pg_db_role_setting
                cross join unnest(setconfig) as setting
                where
                    setrole = login.oid
                    and (setdatabase = 0 or setdatabase = (
                        select oid from pg_catalog.pg_database where datname = current_database()
                    ))
            )
        from pg_catalog.pg_roles as login
        inner join pg_catalog.pg_roles as granted
            on
                granted.rolname = any (%s)
                and pg_has_role(login.oid, granted.oid, 'member')
        where login.rolcanlogin and not login.rolsuper
        group by login.oid, login.rolname
        order by login.rolname
        """,
        [list(_SETTINGS)],
    )
    return {
        login: {
            name: value
            for name, value in settings_of(
                next(role for role in _SETTINGS if role in roles)
            ).items()
            if name.lower() not in has
        }
        for login, roles, has in rows
    }
