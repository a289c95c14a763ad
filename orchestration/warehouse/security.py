"""Roles, rights and row-level security together: bringing them about, and what is wrong."""

from __future__ import annotations

import psycopg

from orchestration.errors import DatabaseError
from orchestration.settings import Settings
from orchestration.warehouse.connection import one_line
from orchestration.warehouse.logins import grant_source, set_up_logins
from orchestration.warehouse.roles import ensure_roles, grant_rights, missing_roles, wrong_rights
from orchestration.warehouse.row_security import secure_tables, unsecured

# A new policy takes its table for a moment; nobody is to wait long behind that.
LOCK_TIMEOUT = "5s"


def secure(connection: psycopg.Connection, settings: Settings) -> list[str]:
    """Make it as it should be; returns the statements that an administrator must run for us."""
    statements = ensure_roles(connection)
    if statements:
        return statements
    try:
        with connection.transaction():
            connection.execute("select set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            secure_tables(connection, settings)
            grant_rights(connection)
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseError(
            f"rollups init: {one_line(error)}: a long query reads a table that is to get its"
            " policies; run it again at a quieter time"
        ) from error
    return [*grant_source(connection, settings), *set_up_logins(connection)]


def insecure(connection: psycopg.Connection, settings: Settings) -> list[str]:
    """What is not as it should be; empty when all is."""
    missing = [f"there is no role {role}" for role in missing_roles(connection)]
    return missing or [*unsecured(connection, settings), *wrong_rights(connection)]
