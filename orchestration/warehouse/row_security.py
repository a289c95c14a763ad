"""Which rows a role sees: policies on tables, and views in schema ``visible`` over the rest.

Tables of ``analytics`` and ``intermediate`` have policies. Of what lies over the source, which is
not ours to put policies on, and of tables that hold more than one may see, there are twins in
schema ``visible``: views with the rights of our owner that let through the tenants of whoever asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from orchestration.dbt_runner import dbt_project
from orchestration.settings import FAMILIES, Settings

SQL_FOLDER = Path(__file__).parent / "sql"

ALL_ROWS = "rollups_all"
OWN_TENANTS = "rollups_tenants"
SEE_ALL_ROWS = ("rollups_reader", "rollups_writer")
SEE_OWN_TENANTS = "rollups_tenant_reader"

_SECURED_SCHEMAS = ["analytics", "intermediate"]

# Private relations that reports and public views read, with the family of their tenants (None: its
# own column says it) and their columns, if not all of them are to be seen.
_TWINS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    **{
        f"staging.stg_support__{name}": ("support", ())
        for name in (
            "tenants", "conversations", "inboxes", "agents", "teams", "labels",
            "conversation_labels",
        )
    },
    "staging.stg_outreach__tenants": ("outreach", ()),
    "staging.stg_outreach__campaigns": ("outreach", ()),
    "staging.stg_outreach__contacts": ("outreach", ("tenant_id", "contact_id")),
    "staging.stg_outreach__contact_leads": ("outreach", ()),
    "intermediate.outreach_activity_metrics": ("outreach", ()),
    "ops.tenant_setting": (None, ()),
    "ops.tenant_zone": (None, ()),
    "ops.pending": (None, ()),
    "ops.quarantined_row": (None, ()),
}  # fmt: skip

# As PostgreSQL writes them back, so that they can be compared. The tenants are looked up once a
# query, and text equality leaks nothing: an index that begins with tenant_id serves the policy.
_POLICIES = {
    ALL_ROWS: "true",
    OWN_TENANTS: (
        "(tenant_id = ANY (ARRAY( SELECT my_tenants.tenant_id"
        " FROM visible.my_tenants WHERE (my_tenants.family = {family}::text))))"
    ),
}


@dataclass(frozen=True)
class _Table:
    name: tuple[str, str]
    is_secured: bool
    is_distributed: bool
    policies: Mapping[str, str]


def make_visible(connection: psycopg.Connection) -> None:
    """Create or replace the twins of the relations that are there."""
    connection.execute("set search_path = ''")
    for relation, (family, columns) in _TWINS.items():
        # A family that is switched off has no relations.
        if not _exists(connection, relation):
            continue
        schema, name = relation.split(".")
        connection.execute(
            sql.SQL(
                "create or replace view visible.{name} with (security_barrier = true) as"
                " select {columns} from {relation} as rows_of"
                " where (select visible.sees_all_tenants()) or {is_mine}"
            ).format(
                name=sql.Identifier(name),
                relation=sql.Identifier(schema, name),
                columns=sql.SQL(", ").join(sql.Identifier("rows_of", column) for column in columns)
                if columns
                else sql.SQL("rows_of.*"),
                is_mine=_is_mine(family),
            )
        )
    if _exists(connection, "staging.stg_support__events"):
        connection.execute((SQL_FOLDER / "visible_support.sql").read_bytes())
    connection.execute("reset search_path")


def _exists(connection: psycopg.Connection, relation: str) -> bool:
    return connection.execute("select to_regclass(%s)", [relation]).fetchone() != (None,)


def _is_mine(family: str | None) -> sql.Composable:
    if family is None:
        return sql.SQL(
            "(rows_of.family, rows_of.tenant_id)"
            " in (select mine.family, mine.tenant_id from visible.my_tenants as mine)"
        )
    return sql.SQL(
        "rows_of.tenant_id = any (array("
        "select mine.tenant_id from visible.my_tenants as mine where mine.family = {}))"
    ).format(sql.Literal(family))


def secure_tables(connection: psycopg.Connection, settings: Settings) -> None:
    """Give every table of the project that lacks it its row-level security."""
    families = _families(settings)
    for table in _tables(connection):
        family = families.get(table.name)
        if family is None:
            continue
        name = sql.Identifier(*table.name)
        expected = _expected(family, table)
        if not table.is_secured:
            connection.execute(sql.SQL("alter table {} enable row level security").format(name))
        # What other policies people have put there stays; `rollups doctor` shows them.
        for policy, text in expected.items():
            if table.policies.get(policy, text) != text:
                connection.execute(
                    sql.SQL("drop policy {} on {}").format(sql.Identifier(policy), name)
                )
            if table.policies.get(policy) != text:
                connection.execute(_create_policy(policy, name, family))


def unsecured(connection: psycopg.Connection, settings: Settings) -> list[str]:
    """What is wrong with the row-level security of our tables and views; empty when nothing is."""
    families = _families(settings)
    found = [f"{view} lends readers its owner's rights" for view in _lending_views(connection)]
    for table in _tables(connection):
        name = ".".join(table.name)
        family = families.get(table.name) or _family_of_policies(table)
        if not table.is_secured:
            found.append(f"{name} has no row-level security")
        elif family is None:
            found.append(f"{name} is no table of this project")
        else:
            expected = _expected(family, table)
            found += [
                f"{name} {word} policy {policy}"
                for policy in sorted({*expected, *table.policies})
                for word in [_difference(expected.get(policy), table.policies.get(policy))]
                if word
            ]
    return found


def _family_of_policies(table: _Table) -> str | None:
    # A family that was switched off leaves its tables as they are.
    return next((name for name in FAMILIES if _expected(name, table) == table.policies), None)


def _difference(expected: str | None, actual: str | None) -> str | None:
    if expected == actual:
        return None
    if actual is None:
        return "lacks"
    return "has another" if expected else "has an unknown"


def _create_policy(policy: str, table: sql.Identifier, family: str) -> sql.Composed:
    name = sql.Identifier(policy)
    if policy == ALL_ROWS:
        roles = sql.SQL(", ").join(sql.Identifier(role) for role in SEE_ALL_ROWS)
        return sql.SQL("create policy {} on {} to {} using (true)").format(name, table, roles)
    return sql.SQL(
        "create policy {} on {} for select to {} using (tenant_id = any (array("
        "select my_tenants.tenant_id from visible.my_tenants where my_tenants.family = {})))"
    ).format(name, table, sql.Identifier(SEE_OWN_TENANTS), sql.Literal(family))


def _expected(family: str, table: _Table) -> dict[str, str]:
    all_rows = {ALL_ROWS: f"* {', '.join(SEE_ALL_ROWS)}: {_POLICIES[ALL_ROWS]}"}
    if table.is_distributed:
        # Citus takes no policy that looks up who may see what: tenant readers see nothing there.
        return all_rows
    own_tenants = _POLICIES[OWN_TENANTS].format(family=f"'{family}'")
    return all_rows | {OWN_TENANTS: f"r {SEE_OWN_TENANTS}: {own_tenants}"}


def _tables(connection: psycopg.Connection) -> list[_Table]:
    """Tables of the secured schemas, and their policies as command, roles and expression."""
    rows = connection.execute(
        """
        select
            namespace.nspname,
            class.relname,
            class.relrowsecurity,
            ops.distributed_column(class.oid) is not null,
            coalesce(
                jsonb_object_agg(
                    policy.polname,
                    case when policy.polpermissive then '' else 'restrictive ' end
                    || policy.polcmd::text || ' ' || array_to_string(array(
                        select roles.rolname from pg_catalog.pg_roles as roles
                        where roles.oid = any (policy.polroles) order by 1
                    ), ', ') || ': '
                    || regexp_replace(
                        pg_get_expr(policy.polqual, policy.polrelid)
                        || coalesce(' ' || pg_get_expr(policy.polwithcheck, policy.polrelid), ''),
                        '\\s+', ' ', 'g'
                    )
                ) filter (where policy.polname is not null),
                '{}'
            )::text
        from pg_catalog.pg_class as class
        inner join pg_catalog.pg_namespace as namespace on class.relnamespace = namespace.oid
        left join pg_catalog.pg_policy as policy on class.oid = policy.polrelid
        where namespace.nspname = any (%s) and class.relkind in ('r', 'p')
        group by 1, 2, 3, 4
        order by 1, 2
        """,
        [_SECURED_SCHEMAS],
    )
    return [
        _Table((schema, name), is_secured, is_distributed, json.loads(policies))
        for schema, name, is_secured, is_distributed, policies in rows
    ]


def _lending_views(connection: psycopg.Connection) -> list[str]:
    """Views that show a tenant reader what their owner sees, those in ``visible`` apart."""
    rows = connection.execute(
        "select class.oid::regclass::text from pg_catalog.pg_class as class"
        " where class.relkind = 'v' and class.relnamespace::regnamespace::text = any (%s)"
        " and has_table_privilege(%s, class.oid, 'select')"
        " and not coalesce(class.reloptions::text like '%%security_invoker=true%%', false)"
        " order by 1",
        [_SECURED_SCHEMAS, SEE_OWN_TENANTS],
    )
    return [row[0] for row in rows]


def _families(settings: Settings) -> dict[tuple[str, str], str]:
    """The family of every table that dbt makes: the name of its model's folder."""
    nodes = json.loads(dbt_project(settings).manifest_path.read_text())["nodes"].values()
    return {
        (node["schema"], node["alias"]): node["fqn"][-2]
        for node in nodes
        if node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"
    }
