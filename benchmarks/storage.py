"""Bytes a message, table by table and index by index, against the source."""

from __future__ import annotations

from rich.table import Table

from benchmarks.world import SOURCES, World

SIZES = """
select
    relation.relnamespace::regnamespace || '.' || relation.relname as name,
    pg_table_size(relation.oid) as heap,
    pg_indexes_size(relation.oid) as indexes,
    (
        select string_agg(
            pg_get_indexdef(entry.indexrelid, 0, true) || ' ' || pg_relation_size(entry.indexrelid),
            E'\\n'
        )
        from pg_index as entry
        where entry.indrelid = relation.oid
    ) as each_index
from pg_class as relation
where
    relation.relkind in ('r', 'p')
    and relation.relnamespace::regnamespace::text = any(%(schemas)s)
    and pg_total_relation_size(relation.oid) > 1000000
order by pg_total_relation_size(relation.oid) desc
"""


def table(world: World) -> Table:
    """Everything of more than a megabyte."""
    messages = world.options.messages
    shown = Table(title="Storage, bytes a message", title_justify="left")
    for column in ("table", "rows", "indexes", "all"):
        shown.add_column(column, justify="left" if column == "table" else "right")
    for title, schemas in (
        ("source", [SOURCES[world.family]]),
        ("ledgers and rollups", ["intermediate", "analytics", "ops"]),
    ):
        total = 0.0
        for name, heap, indexes, definitions in world.rows(SIZES, {"schemas": schemas}):
            total += heap + indexes
            sizes = (heap, indexes, heap + indexes)
            shown.add_row(name, *(f"{size / messages:,.0f}" for size in sizes))
            for line in (definitions or "").splitlines():
                definition, _, size = line.rpartition(" ")
                columns = definition.partition(" USING btree ")[2][:70]
                shown.add_row(f"  {columns}", "", f"{int(size) / messages:,.0f}", "", style="dim")
        shown.add_row(title, "", "", f"{total / messages:,.0f}", style="bold", end_section=True)
    return shown
