-- Where the rollups stand, for people and for the partitions of Dagster.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.source_dates(p_family text)
returns table (first_date date, last_date date)
language plpgsql stable
as $$
begin
    return query execute format('select * from ops.%I()', p_family || '_source_dates');
end
$$;
comment on function ops.source_dates is 'First and last date on which the source has activity, a day wider on both sides; NULL when empty';

create or replace function ops.first_rollup_date(p_family text) returns date
language plpgsql stable
as $$
declare
    first_date date;
begin
    execute format('select ops.%I()', p_family || '_first_rollup_date') into first_date;
    return first_date;
end
$$;
comment on function ops.first_rollup_date is 'First date with a rollup; NULL before the first refresh';

drop function if exists ops.tenant_status(text);
create function ops.tenant_status(p_family text)
returns table (
    tenant_id text,
    tenant_name text,
    timezone text,
    problem text,
    complete_through timestamptz,
    pending bigint,
    pending_since timestamptz,
    refreshed_at timestamptz,
    refresh_seconds double precision,
    refresh_status text
)
language sql stable
as $$
    -- Complete through: all that had come in before is in the rollups. Nothing pending: up to the
    -- last look at the source; else up to when the oldest pending work may have come in.
    with capture as (
        select case when bool_and(watermark.captured_at is not null) then min(watermark.captured_at) end as captured_at
        from ops.capture_source as source
        left join ops.watermark
            on source.family = watermark.family and source.source_table = watermark.source_table
        where source.family = p_family
    ),

    work as (
        select
            pending.tenant_id,
            count(*) as pieces,
            min(pending.noted_at) as since,
            -- a backfill does again what has been done: nothing is missing meanwhile
            min(pending.noted_at) filter (where pending.reason <> 'command-line backfill') as missing_since
        from ops.pending
        where pending.family = p_family
        group by pending.tenant_id
    ),

    -- Scopes are kept by refresh: a bounded number of refreshes keeps this quick.
    recent as (
        select refresh.*
        from ops.refresh
        where refresh.family = p_family and refresh.started_at > now() - interval '30 days'
        order by refresh.started_at desc
        limit 1000
    ),

    latest as (
        select distinct on (scope.tenant_id)
            scope.tenant_id,
            coalesce(recent.ended_at, recent.started_at) as at,
            recent.seconds,
            recent.status
        from recent
        inner join ops.refresh_scope as scope
            on recent.refresh_id = scope.refresh_id and recent.family = scope.family
        order by scope.tenant_id, recent.started_at desc
    )

    select
        tenants.tenant_id,
        tenants.tenant_name,
        tenants.timezone,
        tenants.problem,
        case
            when tenants.problem is null and capture.captured_at is not null
                then nullif(least(capture.captured_at, work.missing_since), '-infinity')
        end,
        coalesce(work.pieces, 0),
        nullif(work.since, '-infinity'),
        latest.at,
        latest.seconds::double precision,
        latest.status
    from ops.known_tenants(p_family) as tenants
    cross join capture
    left join work on tenants.tenant_id = work.tenant_id
    left join latest on tenants.tenant_id = latest.tenant_id
    order by tenants.tenant_id;
$$;
comment on function ops.tenant_status is 'One row a tenant: through when its rollups are complete, what is pending, its last refresh (of 30 days)';
