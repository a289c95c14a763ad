-- The functions and the table of Citus that Rollups asks, with its signatures. Nothing is distributed:
-- calls are recorded, and what Citus would refuse is refused.
set allow_system_table_mods = on;

create schema citus;
create type citus.distribution_type as enum ('hash', 'range', 'append');

create table pg_catalog.pg_dist_partition (
    logicalrelid regclass primary key,
    partmethod "char" not null,
    partkey text,
    colocationid integer not null,
    repmodel "char" not null,
    autoconverted boolean not null default false
);
create sequence citus.colocation;

create function pg_catalog.column_to_column_name(table_name regclass, column_var_text text) returns text
language sql strict as 'select column_var_text';

create function pg_catalog.create_distributed_table(
    table_name regclass,
    distribution_column text,
    distribution_type citus.distribution_type default 'hash',
    colocate_with text default 'default',
    shard_count integer default null
) returns void
language plpgsql as $$
begin
    if exists (select from pg_dist_partition where logicalrelid = table_name) then
        raise exception 'table "%" is already distributed', table_name;
    end if;
    if exists (
        select from pg_index as indexes
        where indexes.indrelid = table_name and indexes.indisunique and not exists (
            select from pg_attribute as columns
            where columns.attrelid = table_name and columns.attname = distribution_column
                and columns.attnum = any(indexes.indkey)
        )
    ) then
        raise exception 'cannot create constraint on "%"', table_name
            using detail = 'Distributed relations cannot have UNIQUE constraints without the partition column';
    end if;
    if exists (select from pg_policy where polrelid = table_name and polqual::text like '%SUBLINK%') then
        raise exception 'cannot create policy'
            using detail = 'Subqueries are not supported in policies on distributed tables';
    end if;
    if exists (select from pg_trigger where tgrelid = table_name) then
        raise exception 'cannot distribute relation "%" because it has triggers', table_name;
    end if;
    insert into pg_dist_partition (logicalrelid, partmethod, partkey, colocationid, repmodel)
    values (
        table_name, 'h', distribution_column,
        case colocate_with
            when 'none' then nextval('citus.colocation')
            else (
                select others.colocationid from pg_dist_partition as others
                where others.logicalrelid = colocate_with::regclass
            )
        end, 's'
    );
end
$$;

reset allow_system_table_mods;
