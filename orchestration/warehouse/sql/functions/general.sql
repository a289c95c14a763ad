-- What every other function uses.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.is_tenant_id(tenant_id text) returns boolean
language sql immutable parallel safe
return tenant_id is not null
    and length(tenant_id) between 1 and 200
    and tenant_id !~ '[|,[:cntrl:]]'
    and tenant_id not like '%...%'
    and tenant_id = trim(tenant_id);
comment on function ops.is_tenant_id is 'Whether an id can be a partition key: no | , ... control characters or outer spaces, at most 200 characters';

create or replace function ops.current_refresh_id() returns uuid
language sql stable parallel safe
return nullif(current_setting('rollups.refresh_id', true), '')::uuid;

create or replace function ops.config_number(p_name text) returns double precision
language sql stable
as $$ select value::double precision from ops.config where name = p_name $$;

create or replace function ops.min_event_at() returns timestamptz
language sql stable
as $$ select value::date::timestamp at time zone 'UTC' from ops.config where name = 'min_event_date' $$;

create or replace function ops.is_held(p_lock text) returns boolean
language sql
as $$
    -- Whether any session holds the advisory lock of this name.
    select exists (
        select 1
        from pg_catalog.pg_locks as held
        where
            held.locktype = 'advisory'
            and held.granted
            and held.database = (select oid from pg_catalog.pg_database where datname = current_database())
            and (held.classid::bigint << 32 | held.objid::bigint) = hashtextextended(p_lock, 0)
    );
$$;

create or replace function ops.foreign_readers(p_view regclass) returns table (reader text)
language sql stable
as $$
    with recursive readers as (
        select p_view::oid as view_id
        union
        select rewrites.ev_class
        from readers
        inner join pg_catalog.pg_depend as depends
            on depends.refclassid = 'pg_class'::regclass and depends.refobjid = readers.view_id
        inner join pg_catalog.pg_rewrite as rewrites
            on depends.classid = 'pg_rewrite'::regclass and depends.objid = rewrites.oid
    )

    select readers.view_id::regclass::text
    from readers
    inner join pg_catalog.pg_class as relations on readers.view_id = relations.oid
    where relations.relnamespace::regnamespace::text not in (
        'analytics', 'intermediate', 'ops', 'report', 'staging', 'visible'
    )
    order by 1
$$;
comment on function ops.foreign_readers is 'Views of others that read a view of ours, over any number of views between';
