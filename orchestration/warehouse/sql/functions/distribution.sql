-- Tables spread over the nodes of Citus by tenant: ROLLUPS_DISTRIBUTE=citus.
-- Bodies may name what only Citus has.
set check_function_bodies = off;

create or replace function ops.tell_workers() returns void
language plpgsql
as $$
begin
    -- A statement of a refresh runs in sessions on other nodes too, which know nothing of this one's
    -- settings. Citus passes SET LOCAL on, and nothing else: not set_config().
    if current_setting('citus.propagate_set_commands', true) is null then
        return;
    end if;
    perform set_config('citus.propagate_set_commands', 'local', true);
    set local timezone = 'UTC';
    execute format('set local rollups.refresh_id = %L', ops.current_refresh_id());
end
$$;
comment on function ops.tell_workers is 'On Citus, tells all nodes of the zone and the refresh of this transaction';

drop function if exists ops.distributed_column(regclass) cascade;
create function ops.distributed_column(p_table regclass) returns text
language plpgsql stable
as $$
begin
    if to_regclass('pg_catalog.pg_dist_partition') is null then
        return null;
    end if;
    return (
        select coalesce(pg_catalog.column_to_column_name(partitions.logicalrelid, partitions.partkey), 'no column')
        from pg_catalog.pg_dist_partition as partitions
        where partitions.logicalrelid = p_table
    );
end
$$;
comment on function ops.distributed_column is 'Column by which Citus distributes a table (no column: it is a reference table), NULL of a table on this node alone';

-- What is distributed follows from the tables themselves. The source, the seeds and all that drives a
-- refresh (claims, scopes, logs) are read together, by recursive queries and functions that Citus does
-- not plan for several nodes: they stay on this one.
create or replace view ops.distributable as
select tables.oid::regclass as relation, ops.distributed_column(tables.oid) as distributed_by
from pg_catalog.pg_class as tables
inner join pg_catalog.pg_attribute as tenant
    on tables.oid = tenant.attrelid and tenant.attname = 'tenant_id' and tenant.attnotnull
where
    tables.relkind = 'r'
    and tables.relnamespace::regnamespace::text in ('analytics', 'intermediate', 'ops')
    and tenant.attnum = all(
        select indexes.indkey[0] from pg_catalog.pg_index as indexes where indexes.indrelid = tables.oid
    )
    and exists (select from pg_catalog.pg_index as indexes where indexes.indrelid = tables.oid);
comment on view ops.distributable is 'Tables that Citus spreads by tenant: those of which every index begins with the tenant';

create or replace function ops.put_tenant_first() returns void
language plpgsql
as $$
declare
    key record;
begin
    -- Citus needs the tenant in every unique key. A table that keeps its application's own key, of which
    -- the tenant follows, gets it in front.
    for key in
        select
            constraints.conrelid::regclass as relation,
            constraints.conname,
            (
                select string_agg(quote_ident(columns.attname), ', ' order by parts.position)
                from unnest(constraints.conkey) with ordinality as parts (number, position)
                inner join pg_catalog.pg_attribute as columns
                    on constraints.conrelid = columns.attrelid and parts.number = columns.attnum
            ) as columns
        from pg_catalog.pg_constraint as constraints
        inner join pg_catalog.pg_attribute as tenant
            on constraints.conrelid = tenant.attrelid and tenant.attname = 'tenant_id' and tenant.attnotnull
        where
            constraints.contype = 'p'
            and constraints.connamespace::regnamespace::text = 'analytics'
            and tenant.attnum <> all(constraints.conkey)
    loop
        execute format(
            'alter table %s drop constraint %I, add constraint %2$I primary key (tenant_id, %s)',
            key.relation, key.conname, key.columns
        );
    end loop;
end
$$;
comment on function ops.put_tenant_first is 'Puts tenant_id before the primary keys of marts that lack it';

create or replace function ops.distribute() returns bigint
language plpgsql
as $$
declare
    found record;
    -- All tables lie together, a tenant's rows on one node.
    companion regclass := (select min(relation::oid) from ops.distributable where distributed_by = 'tenant_id');
    moved bigint := 0;
begin
    -- All in one transaction, over one connection to each node.
    perform set_config('citus.multi_shard_modify_mode', 'sequential', true);
    perform ops.put_tenant_first();
    for found in select relation, distributed_by from ops.distributable order by relation::text loop
        if found.distributed_by is null then
            -- It looks up what somebody may see, which other nodes do not know.
            execute format('drop policy if exists rollups_tenants on %s', found.relation);
            perform pg_catalog.create_distributed_table(
                found.relation, 'tenant_id', colocate_with => coalesce(companion::text, 'none')
            );
            moved := moved + 1;
        elsif found.distributed_by <> 'tenant_id' then
            raise exception 'ROLLUPS_DISTRIBUTE=citus: % is distributed by %, not by tenant_id: run'
                ' "select undistribute_table(''%'')", then `rollups init` again',
                found.relation, found.distributed_by, found.relation;
        end if;
        companion := coalesce(companion, found.relation);
    end loop;
    return moved;
end
$$;
comment on function ops.distribute is 'Distributes every table of ops.distributable that is not yet, co-located; returns how many';
