"""The roles of ``rollups init`` and what each may do, in one table.

Whoever runs ``rollups init`` owns what it makes. The roles are groups: nobody logs in as one, a
person's or a tool's login is granted one. What a role may do is worked out from ``_RIGHTS`` and
compared with the catalogue; only the differences are granted or revoked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, LiteralString, NamedTuple, cast

import psycopg
from psycopg import sql

SQL_FOLDER = Path(__file__).parent / "sql"

WRITER = "rollups_writer"
READER = "rollups_reader"
TENANT_READER = "rollups_tenant_reader"
OPS_READER = "rollups_ops_reader"
DAGSTER = "rollups_dagster"

ROLES = {
    WRITER: "Runs refreshes: reads the source, writes the rollups",
    READER: "Reads the rollups of every tenant",
    TENANT_READER: "Reads the rollups of the tenants it was granted (rollups access grant)",
    OPS_READER: "Reads the status of refreshes, no rollups",
    DAGSTER: "Keeps Dagster's own tables, nothing else",
}
SCHEMAS = ("analytics", "dagster", "intermediate", "ops", "report", "staging", "visible")


class _Right(NamedTuple):
    """Roles may do something to objects of a kind whose ``schema.name`` matches a pattern."""

    roles: tuple[str, ...]
    privileges: str
    kind: str
    names: tuple[str, ...]
    but: tuple[str, ...] = ()


_Verb = Literal["grant", "revoke"]

_READERS = (READER, TENANT_READER)
_WRITE = "SELECT INSERT UPDATE DELETE"
# Only `rollups init` and `rollups access` write these.
_WRITTEN_BY_OWNER = (
    "ops.migration", "ops.tenant_access", "ops.capture_source", "ops.rule_seed", "ops.timezone",
    "ops.trigger_installation",
)  # fmt: skip

_RIGHTS = (
    _Right(
        (WRITER, *_READERS), "USAGE", "schema",
        ("analytics", "intermediate", "ops", "report", "staging", "visible"),
    ),
    _Right((OPS_READER,), "USAGE", "schema", ("intermediate", "ops", "staging")),
    _Right((DAGSTER,), "USAGE CREATE", "schema", ("dagster",)),
    # the writer
    _Right(
        (WRITER,), _WRITE, "table", ("analytics.*", "intermediate.*", "ops.*"), _WRITTEN_BY_OWNER
    ),
    _Right((WRITER,), "SELECT", "table", ("staging.*", *_WRITTEN_BY_OWNER), ("ops.tenant_access",)),
    _Right(
        (WRITER,), "SELECT", "view",
        ("analytics.*", "intermediate.*", "ops.*", "staging.*", "visible.*"),
    ),
    # statistics of a scope that was just written
    _Right((WRITER,), "MAINTAIN", "table", ("ops.refresh_claim", "ops.refresh_scope")),
    _Right((WRITER,), "USAGE", "sequence", ("ops.*",)),
    _Right((WRITER,), "EXECUTE", "function", ("ops.*", "report.*", "visible.*")),
    # readers: of private tables those with policies of their own, and some without tenants
    _Right(_READERS, "SELECT", "table", ("analytics.*",)),
    _Right(
        _READERS, "SELECT", "view",
        (
            "analytics.*", "visible.*",
            "intermediate.outreach_rates", "intermediate.support_daily",
        ),
    ),
    _Right(
        _READERS, "SELECT", "table",
        (
            "intermediate.outreach_*_cohort",
            "intermediate.support_bot_*",
            "ops.capture_source", "ops.config", "ops.timezone", "ops.watermark",
            "staging.metric_registry", "staging.timezone_aliases",
        ),
    ),
    _Right(
        _READERS, "EXECUTE", "function",
        (
            "report.*", "visible.*",
            "ops.canonical_timezone", "ops.config_number", "ops.is_tenant_id",
            # in private views: such functions run with the rights of whoever asks
            "ops.json_text", "ops.is_readable_json", "ops.is_valid_json",
        ),
    ),
    # the ops reader: no rollups, no ids of contacts
    _Right(
        (OPS_READER,), "SELECT", "table", ("ops.*",),
        ("ops.tenant_access", "ops.*_touched", "ops.seen", "ops.change_queue"),
    ),
    _Right(
        (OPS_READER,), "SELECT", "view",
        ("ops.*", "staging.stg_*__tenants", "intermediate.*_verdicts"),
    ),
    _Right((OPS_READER,), "EXECUTE", "function", ("ops.*",)),
    # Dagster's storage
    _Right((DAGSTER,), _WRITE, "table", ("dagster.*",)),
    _Right((DAGSTER,), "USAGE SELECT UPDATE", "sequence", ("dagster.*",)),
)  # fmt: skip


class Object(NamedTuple):
    """Something rights are given on; ``kind`` is a word of the table above, or ``trigger``."""

    kind: str
    schema: str
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "schema" else f"{self.schema}.{self.name}"


class Grant(NamedTuple):
    """A role may do something to an object."""

    object: Object
    role: str
    privilege: str

    def __str__(self) -> str:
        return f"{self.role}: {self.privilege} on {self.object.kind} {self.object}"


def ensure_roles(connection: psycopg.Connection) -> list[str]:
    """Make the roles that are missing; returns the statements that an administrator must run."""
    missing = missing_roles(connection)
    may_create = _may_create_roles(connection)
    left: list[str] = []
    for role in missing:
        name = sql.Identifier(role)
        statements = (
            sql.SQL("create role {} nologin").format(name),
            sql.SQL("comment on role {} is {}").format(name, sql.Literal(ROLES[role])),
        )
        if not may_create:
            left += [statement.as_string(connection) for statement in statements]
            continue
        try:
            for statement in statements:
                connection.execute(statement)
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            # Roles belong to the whole server: another database's init was quicker.
            continue
    return left


def missing_roles(connection: psycopg.Connection) -> list[str]:
    """Roles that this server does not have."""
    there = {
        row[0]
        for row in connection.execute(
            "select rolname from pg_catalog.pg_roles where rolname = any (%s)", [list(ROLES)]
        )
    }
    return [role for role in ROLES if role not in there]


def grant_rights(connection: psycopg.Connection) -> None:
    """Grant what is missing and revoke what is too much, of our roles and of ``public``."""
    expected, actual = _read(connection)
    ours = {*ROLES, "public"}
    surplus = {grant for grant in actual - expected if grant.role in ours}
    for statement in _statements("revoke", surplus):
        connection.execute(statement)
    for statement in _statements("grant", expected - actual):
        connection.execute(statement)
    for role, schema, kind in _default_rights(connection):
        if role in ours:
            connection.execute(
                sql.SQL("alter default privileges in schema {} revoke all on {} from {}").format(
                    sql.Identifier(schema), sql.SQL(_DEFAULT_KINDS[kind]), _role(role)
                )
            )


def wrong_rights(connection: psycopg.Connection) -> list[str]:
    """Every right on our schemas that is missing or too much, whoever has it."""
    expected, actual = _read(connection)
    return sorted(
        [f"missing - {grant}" for grant in expected - actual]
        + [f"too much - {grant}" for grant in actual - expected]
        + [
            f"too much - {role}: default privileges on {_DEFAULT_KINDS[kind]} of schema {schema}"
            for role, schema, kind in _default_rights(connection)
        ]
    )


_KINDS: Mapping[str, LiteralString] = {
    "schema": "schema",
    "table": "table",
    "view": "table",
    "sequence": "sequence",
    "function": "function",
    "trigger": "function",
}
_DEFAULT_KINDS: Mapping[str, LiteralString] = {
    "r": "tables",
    "S": "sequences",
    "f": "functions",
    "T": "types",
}


def _may_create_roles(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "select rolcreaterole or rolsuper from pg_catalog.pg_roles where rolname = current_user"
    ).fetchone()
    return bool(row and row[0])


def _read(connection: psycopg.Connection) -> tuple[set[Grant], set[Grant]]:
    """Rights as they should be and as they are, the owners' own apart."""
    owners: dict[Object, str] = {}
    # A login with which Dagster made its tables owns them: they need no more rights.
    dagsters = _members_of(connection, DAGSTER)
    actual: set[Grant] = set()
    query = (SQL_FOLDER / "rights.sql").read_bytes()
    for kind, schema, name, owner, role, privilege in connection.execute(query, [list(SCHEMAS)]):
        found = Object(kind, schema, name)
        owners[found] = owner
        if role is not None:
            actual.add(Grant(found, role, privilege))
    expected = {
        Grant(found, role, privilege)
        for found, owner in owners.items()
        for right in _RIGHTS
        if right.kind == found.kind and _matches(found, right)
        for role in right.roles
        if role != owner and not (role == DAGSTER and owner in dagsters)
        for privilege in right.privileges.split()
        if privilege != "MAINTAIN" or connection.info.server_version >= 170000
    }
    return expected, actual


def _members_of(connection: psycopg.Connection, role: str) -> set[str]:
    rows = connection.execute(
        "select rolname from pg_catalog.pg_roles"
        " where not rolsuper and pg_has_role(oid, to_regrole(%s), 'member')",
        [role],
    )
    return {row[0] for row in rows}


def _matches(found: Object, right: _Right) -> bool:
    name = str(found).partition("(")[0]
    return any(fnmatchcase(name, pattern) for pattern in right.names) and not any(
        fnmatchcase(name, pattern) for pattern in right.but
    )


def _statements(
    verb: Literal["grant", "revoke"], grants: Iterable[Grant]
) -> Iterator[sql.Composed]:
    """One statement for all rights of one kind, of one role, on one kind of thing."""
    together: dict[tuple[str, str, str], list[Object]] = defaultdict(list)
    for grant in sorted(grants):
        together[grant.object.kind, grant.role, grant.privilege].append(grant.object)
    for (kind, role, privilege), objects in together.items():
        if kind == "column":
            for one in objects:
                relation, _, column = one.name.rpartition(".")
                yield sql.SQL("revoke {} ({}) on {} from {}").format(
                    sql.SQL(cast("LiteralString", privilege)), sql.Identifier(column),
                    sql.Identifier(one.schema, relation), _role(role),
                )  # fmt: skip
            continue
        yield sql.SQL("{} {} on {} {} {} {}").format(
            sql.SQL(verb),
            sql.SQL(cast("LiteralString", privilege)),
            sql.SQL(_KINDS[kind]),
            sql.SQL(", ").join(_name(one) for one in objects),
            sql.SQL("to" if verb == "grant" else "from"),
            _role(role),
        )


def _name(found: Object) -> sql.Composable:
    if found.kind == "schema":
        return sql.Identifier(found.name)
    if found.kind in ("function", "trigger"):
        # Types as the catalogue writes them.
        name, _, types = found.name.partition("(")
        return sql.Identifier(found.schema, name) + sql.SQL(cast("LiteralString", f"({types}"))
    return sql.Identifier(found.schema, found.name)


def _role(name: str) -> sql.Composable:
    return sql.SQL("public") if name == "public" else sql.Identifier(name)


def _default_rights(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Default privileges in our schemas, as role, schema and kind: there should be none.

    A table that anybody may read as soon as it is made would be one without policies.
    """
    return connection.execute(
        "select distinct case when rights.grantee = 0 then 'public'"
        " else pg_get_userbyid(rights.grantee) end, namespace.nspname, defaults.defaclobjtype::text"
        " from pg_catalog.pg_default_acl as defaults"
        " inner join pg_catalog.pg_namespace as namespace"
        " on defaults.defaclnamespace = namespace.oid"
        " cross join lateral aclexplode(defaults.defaclacl) as rights"
        " where namespace.nspname = any (%s)",
        [list(SCHEMAS)],
    ).fetchall()
