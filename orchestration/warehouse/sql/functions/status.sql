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

create or replace function ops.tenant_status(p_family text)
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

create or replace view ops.refresh_status as
with families as (
    select unnest(string_to_array(config.value, ',')) as family
    from ops.config as config where config.name = 'families'
),

-- The last refreshes that had work, of a month at most.
recent as (
    select
        families.family,
        ended.refresh_id
    from families
    cross join lateral (
        select log.refresh_id
        from ops.refresh_log as log
        where log.family = families.family and log.event = 'completed' and log.at > now() - interval '30 days'
        order by log.at desc
        limit 200
    ) as ended
),

durations as (
    select
        recent.family,
        built.model,
        (array_agg(built.seconds order by built.at desc))[1] as last_seconds,
        percentile_cont(0.5) within group (order by built.seconds) as p50_seconds,
        percentile_cont(0.95) within group (order by built.seconds) as p95_seconds
    from recent
    inner join ops.refresh_model as built on recent.refresh_id = built.refresh_id
    group by recent.family, built.model
),

models as (
    select family, model from durations
    union
    select family, model from ops.model_rows
),

failures as (
    select
        families.family,
        failed.at,
        failed.error
    from families
    cross join lateral (
        select
            coalesce(refresh.ended_at, refresh.started_at) as at,
            coalesce(refresh.error, 'lost: it started, never ended and nobody works on it') as error
        from ops.refresh
        where
            refresh.family = families.family
            and refresh.status in ('failed', 'lost')
            and refresh.started_at > now() - interval '30 days'
        order by refresh.started_at desc
        limit 1
    ) as failed
)

select
    families.family,
    tenants.tenant_id,
    models.model,
    tenants.problem,
    tenants.complete_through,
    extract(epoch from now() - tenants.complete_through)::double precision as staleness_seconds,
    tenants.refreshed_at,
    tenants.refresh_status,
    durations.last_seconds,
    durations.p50_seconds,
    durations.p95_seconds,
    coalesce(counted.row_count, 0) as row_count,
    tenants.pending,
    extract(epoch from now() - tenants.pending_since)::double precision as pending_seconds,
    failures.error as last_error,
    failures.at as last_error_at
from families
cross join lateral ops.tenant_status(families.family) as tenants
left join models on families.family = models.family
left join durations on models.family = durations.family and models.model = durations.model
left join ops.model_rows as counted
    on
        models.family = counted.family
        and models.model = counted.model
        and tenants.tenant_id = counted.tenant_id
left join failures on families.family = failures.family;
comment on view ops.refresh_status is 'One row a family, tenant and model. Complete through, staleness, pending work and last error are the tenant''s and the family''s; durations (of the last 200 refreshes of a month, in seconds) are the model''s, of all tenants together';
