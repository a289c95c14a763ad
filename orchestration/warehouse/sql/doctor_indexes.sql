-- Columns of source tables, whether an index starts with them, and how much is read without it.
select
    wanted.table_name,
    wanted.column_name,
    -- a partitioned table is as large as its partitions
    coalesce(
        (
            select sum(pg_catalog.pg_table_size(part.relid))::bigint
            from pg_catalog.pg_partition_tree(relation.oid) as part
        ),
        pg_catalog.pg_table_size(relation.oid)
    ) as bytes,
    -- unknown before the first analyze
    nullif(greatest(relation.reltuples, 0), 0)::bigint as row_count,
    exists (
        select 1
        from pg_catalog.pg_index as i
        where
            i.indrelid = relation.oid
            and i.indisvalid
            and i.indpred is null
            and i.indkey[0] = attribute.attnum
    ) as is_indexed
from unnest(%(tables)s::text[], %(columns)s::text[]) with ordinality
as wanted (table_name, column_name, place)
inner join pg_catalog.pg_namespace as namespace
    on namespace.nspname = %(schema)s
inner join pg_catalog.pg_class as relation
    on
        namespace.oid = relation.relnamespace
        and wanted.table_name = relation.relname
        -- a view has no indexes of its own
        and relation.relkind in ('r', 'p', 'm')
inner join pg_catalog.pg_attribute as attribute
    on
        relation.oid = attribute.attrelid
        and wanted.column_name = attribute.attname
order by wanted.place
