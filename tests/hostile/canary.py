"""What no attack may change: a table with a row, a role, a schema, and what else there is."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

_RELATIONS = """
    select
        relation.oid::regclass::text,
        relation.relkind::text,
        relation.relowner::regrole::text,
        relation.relacl::text
    from pg_class as relation
    inner join pg_namespace as place on relation.relnamespace = place.oid
    where place.nspname not like 'pg\\_%' and place.nspname <> 'information_schema'
    union all
    select 'function ' || oid::regprocedure, prokind::text, proowner::regrole::text, md5(prosrc)
    from pg_proc
    where oid >= 16384
    union all
    select 'schema ' || nspname, '', nspowner::regrole::text, nspacl::text
    from pg_namespace
    where nspname not like 'pg\\_t%'
"""


class Canary:
    """Put into a database; ``assert_untouched`` compares it with how it was then."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self.role = f"canary_{conninfo_to_dict(url)['dbname']}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table public.canary as select 'alive' as state")
            connection.execute("create schema canary")
            connection.execute(sql.SQL("create role {}").format(sql.Identifier(self.role)))
            connection.execute(
                sql.SQL("create table {}.canary as select 'alive' as state").format(
                    sql.Identifier(schema)
                )
            )
        self._before = self._look()

    def assert_untouched(self) -> None:
        """Fail if anything was made, dropped or changed besides rows of other tables."""
        now = self._look()
        for what, before in self._before.items():
            assert now[what] == before, (what, now[what] ^ before)

    def remove(self) -> None:
        """Drop the role; the rest goes with the database."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(self.role)))

    def _look(self) -> dict[str, set[Any]]:
        with psycopg.connect(self._url) as connection:
            role = connection.execute(
                "select rolname, rolsuper, rolcanlogin, rolcreaterole from pg_roles"
                " where rolname = %s or rolname = 'attacked'",
                [self.role],
            )
            return {
                "rows": set(connection.execute("select state from public.canary")),
                "relations": set(connection.execute(_RELATIONS)),
                "roles": set(role),
            }
