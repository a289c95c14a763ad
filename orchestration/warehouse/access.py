"""Which tenants a tenant reader may see: the mapping table behind the policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from orchestration.errors import DatabaseError, InputError
from orchestration.warehouse.roles import READER, ROLES, TENANT_READER, WRITER, missing_roles


@dataclass(frozen=True)
class Access:
    """A role sees a tenant (``tenant_id`` None: every tenant) of a family.

    ``problem``: why it has no effect, or too much of one; None when all is well.
    """

    role_name: str
    family: str
    tenant_id: str | None
    granted_at: datetime
    granted_by: str
    problem: str | None


def require_role(connection: psycopg.Connection, role: str) -> None:
    """Raise ``InputError`` unless row-level security can hold this role to its tenants."""
    missing = missing_roles(connection)
    if missing:
        raise InputError(
            f"role {missing[0]} does not exist on this server: run `rollups init`, which says"
            " how to make it"
        )
    row = connection.execute(
        "select rolsuper, rolbypassrls,"
        " array(select rolname from pg_catalog.pg_roles as wide where rolname = any (%s)"
        " and pg_has_role(role.oid, wide.oid, 'member'))"
        " from pg_catalog.pg_roles as role where rolname = %s",
        [[READER, WRITER], role],
    ).fetchone()
    if row is None:
        raise InputError(
            f"unknown role {role[:80]!r}: create it first, as an administrator:"
            f" {_how_to_create(connection, role)}"
        )
    is_superuser, bypasses, wide = row
    if is_superuser or bypasses:
        word = "a superuser" if is_superuser else "a role with BYPASSRLS"
        raise InputError(f"{role!r} is {word} and sees every tenant: use another role")
    if (role in ROLES and role != TENANT_READER) or wide:
        raise InputError(
            f"{role!r} is or has {(wide or [role])[0]}, which is not held to tenants:"
            " use a login with rollups_tenant_reader alone"
        )


def grant_access(
    connection: psycopg.Connection, role: str, family: str, tenant_ids: Sequence[str | None]
) -> int:
    """Let a role see tenants (None: all of the family); returns how many grants are new.

    Raises ``DatabaseError`` with the statement to run when we may not make it a tenant reader.
    """
    with connection.transaction():
        _make_tenant_reader(connection, role)
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into ops.tenant_access (role_name, family, tenant_id)"
                " values (%s, %s, %s) on conflict do nothing",
                [(role, family, tenant_id) for tenant_id in tenant_ids],
            )
            return cursor.rowcount


def revoke_access(
    connection: psycopg.Connection, role: str, family: str, tenant_ids: Sequence[str]
) -> list[str | None]:
    """Take tenants (none named: all it has) from a role; returns those it had."""
    return [
        row[0]
        for row in connection.execute(
            "delete from ops.tenant_access where role_name = %s and family = %s"
            " and (%s or tenant_id = any (%s::text[])) returning tenant_id",
            [role, family, not tenant_ids, list(tenant_ids)],
        )
    ]


def access_list(connection: psycopg.Connection, families: Sequence[str]) -> list[Access]:
    """All grants, in order of role, family and tenant."""
    with connection.cursor(row_factory=class_row(Access)) as cursor:
        return cursor.execute(
            """
            select
                granted.role_name,
                granted.family,
                granted.tenant_id,
                granted.granted_at,
                granted.granted_by,
                case
                    when role.oid is null then 'this role is gone'
                    when role.rolsuper or role.rolbypassrls
                        then 'row-level security does not bind it'
                    when
                        pg_has_role(role.oid, to_regrole('rollups_reader'), 'usage')
                        or pg_has_role(role.oid, to_regrole('rollups_writer'), 'usage')
                        then 'it sees every tenant'
                    when not pg_has_role(role.oid, to_regrole('rollups_tenant_reader'), 'usage')
                        then 'it is no rollups_tenant_reader'
                end as problem
            from ops.tenant_access as granted
            left join pg_catalog.pg_roles as role
                on granted.role_name = role.rolname
            where granted.family = any (%s)
            order by 1, 2, 3 nulls first
            """,
            [list(families)],
        ).fetchall()


def _make_tenant_reader(connection: psycopg.Connection, role: str) -> None:
    row = connection.execute(
        "select pg_has_role(oid, to_regrole(%s), 'usage') from pg_catalog.pg_roles"
        " where rolname = %s",
        [TENANT_READER, role],
    ).fetchone()
    if row and row[0]:
        return
    statement = sql.SQL("grant {} to {}").format(
        sql.Identifier(TENANT_READER), sql.Identifier(role)
    )
    try:
        with connection.transaction():
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(
            f"this role may not make {role!r} a tenant reader: an administrator must run"
            f" {statement.as_string(connection)}"
        ) from None


def _how_to_create(connection: psycopg.Connection, role: str) -> str:
    return (
        sql.SQL("create role {} login password '...' in role {}")
        .format(sql.Identifier(role[:63]), sql.Identifier(TENANT_READER))
        .as_string(connection)
    )
