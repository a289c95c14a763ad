"""Where in our tables a person can still be found."""

from __future__ import annotations

from psycopg import sql

from tests.outreach.warehouse import OutreachWarehouse

OUR_SCHEMAS = ("ops", "staging", "intermediate", "analytics", "report")


def ids_of(warehouse: OutreachWarehouse, contact: str) -> set[str]:
    """Every id in the source that leads to the contact: its own and those that hang on it."""
    found = warehouse.rows(
        "select id from contact_campaigns where contact_id = %s"
        " union select id from outbound_messages where contact_id = %s"
        " union select e.id from message_events e join outbound_messages m on e.message_id = m.id"
        " where m.contact_id = %s"
        " union select t.id from campaign_transitions t join contact_campaigns c"
        " on t.campaign_id = c.id where c.contact_id = %s",
        *[contact] * 4,
    )
    return {row[0] for row in found} | {contact}


def places_of(warehouse: OutreachWarehouse, ids: set[str]) -> list[str]:
    """Columns of our tables in which one of the ids is part of the text."""
    # One expression for all of them: a server keeps only a few compiled ones.
    pattern = rf"(^|[^[:alnum:]_-])({'|'.join(sorted(ids))})($|[^[:alnum:]_-])"
    tables = warehouse.rows(
        "select n.nspname, c.relname, array_agg(a.attname::text order by a.attnum)"
        " from pg_attribute a"
        " join pg_class c on a.attrelid = c.oid join pg_namespace n on c.relnamespace = n.oid"
        " where n.nspname = any(%s) and c.relkind in ('r', 'p', 'm') and a.attnum > 0"
        " and not a.attisdropped group by 1, 2",
        list(OUR_SCHEMAS),
    )
    assert sum(len(columns) for *_, columns in tables) > 100
    found = []
    for schema, table, columns in tables:
        query = sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(
                sql.SQL("count(*) filter (where {}::text ~ %(pattern)s)").format(
                    sql.Identifier(column)
                )
                for column in columns
            ),
            sql.Identifier(schema, table),
        )
        counts = warehouse.connection.execute(query, {"pattern": pattern}).fetchone() or ()
        found += [
            f"{schema}.{table}.{column}: {count}"
            for column, count in zip(columns, counts, strict=True)
            if count
        ]
    return found
