-- Tenants and their reporting time zones.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

insert into ops.timezone (name)
select name from pg_catalog.pg_timezone_names where name !~ '^(posix|right)/'
on conflict do nothing;

create or replace function ops.canonical_timezone(zone text) returns text
language sql stable
as $$
    -- A name that only this server's time zone data lacks stays as it was given.
    select coalesce(current_name.name, given.name)
    from (select zone as name) as asked
    left join staging.timezone_aliases as legacy on asked.name = legacy.alias
    left join ops.timezone as current_name on legacy.timezone = current_name.name
    left join ops.timezone as given on asked.name = given.name
$$;
comment on function ops.canonical_timezone is 'The current IANA name of a zone, also for friendly and legacy names; NULL for what is no zone (POSIX strings are none)';

drop function if exists ops.known_tenants(text) cascade;
create function ops.known_tenants(p_family text)
returns table (tenant_id text, tenant_name text, timezone text, problem text)
language plpgsql stable
as $$
begin
    return query execute format($q$
        select
            tenants.tenant_id,
            tenants.tenant_name,
            tenants.timezone,
            case
                when not ops.is_tenant_id(tenants.tenant_id)
                    then 'its id has a comma, a bar, ''...'', control characters or outer spaces'
                else tenants.problem
            end
        from staging.%I as tenants
        order by tenants.tenant_id
    $q$, 'stg_' || p_family || '__tenants');
end
$$;
comment on function ops.known_tenants is 'Tenants of the source; problem: why a tenant has no rollups (NULL: nothing is wrong)';

create or replace function ops.set_timezone(p_family text, p_tenant_id text, p_timezone text) returns boolean
language plpgsql
as $$
declare
    previous text;
begin
    -- Returns whether anything changed; a change marks the tenant's whole history pending.
    select tenants.timezone into previous from ops.known_tenants(p_family) as tenants
    where tenants.tenant_id = p_tenant_id;
    insert into ops.tenant_setting (family, tenant_id, timezone)
    values (p_family, p_tenant_id, p_timezone)
    on conflict (family, tenant_id) do update set timezone = excluded.timezone, updated_at = now();
    if previous is not distinct from p_timezone then
        return false;
    end if;
    insert into ops.tenant_zone (family, tenant_id, timezone)
    values (p_family, p_tenant_id, coalesce(previous, ''))
    on conflict do nothing;
    perform ops.note_changed_zones(p_family);
    return true;
end
$$;

create or replace function ops.set_read_source(p_family text, p_tenant_id text, p_read_source text) returns void
language sql
as $$
    insert into ops.tenant_setting (family, tenant_id, read_source)
    values (p_family, p_tenant_id, p_read_source)
    on conflict (family, tenant_id) do update set read_source = excluded.read_source, updated_at = now();
$$;
comment on function ops.set_read_source is 'Whether reads of a tenant with source auto may use its rollups (auto) or never do (raw)';

create or replace function ops.size_of_tenant(p_family text, p_tenant_id text)
returns table (days bigint, row_count bigint)
language plpgsql stable
as $$
begin
    return query execute format(
        'select (select count(*) from ops.%I($1)), ops.%I($1)', p_family || '_days', p_family || '_rows'
    ) using p_tenant_id;
end
$$;
comment on function ops.size_of_tenant is 'Days a tenant has activity on, and its rows in the rollups: what a change of zone rebuilds';
