-- What the machinery asks of the support family: functions that are called by their names.
set check_function_bodies = off;

create or replace view ops.support_scope as
select tenant_id, dates, date_from, date_to
from ops.refresh_scope
where family = 'support' and refresh_id = ops.current_refresh_id();
comment on view ops.support_scope is 'Scope of the refresh of this session: tenants and the dates to replace whole';

create or replace view ops.support_claim as
select tenant_id, grain, key
from ops.refresh_claim
where family = 'support' and refresh_id = ops.current_refresh_id();
comment on view ops.support_claim is 'Claimed work of the refresh of this session';

create or replace function ops.support_days(p_tenant_id text) returns setof date
language plpgsql stable
as $$
begin
    return query
    select date from analytics.reporting_events_rollups where tenant_id = p_tenant_id
    union
    select date from analytics.conversations_daily where tenant_id = p_tenant_id;
end
$$;
comment on function ops.support_days is 'Local dates on which an account has rollups';

create or replace function ops.support_rows(p_tenant_id text) returns bigint
language plpgsql stable
as $$
begin
    return
        (select count(*) from analytics.reporting_events_rollups as t where t.tenant_id = p_tenant_id)
        + (select count(*) from analytics.conversations_daily as t where t.tenant_id = p_tenant_id);
end
$$;
comment on function ops.support_rows is 'Rows of an account in the rollups';

create or replace function ops.support_first_rollup_date() returns date
language sql stable
as $$
    select least(
        (select min(date) from analytics.reporting_events_rollups),
        (select min(date) from analytics.conversations_daily)
    )
$$;

create or replace function ops.support_source_dates()
returns table (first_date date, last_date date)
language sql stable
as $$
    -- Account-local dates differ from UTC ones by a day at most.
    select (min(seen.first_at) - interval '1 day')::date, (max(seen.last_at) + interval '1 day')::date
    from (
        select min(occurred_watermark) as first_at, max(occurred_watermark) as last_at
        from staging.stg_support__events
        union all
        select min(occurred_watermark), max(occurred_watermark) from staging.stg_support__conversations
        union all
        select min(occurred_watermark), max(occurred_watermark) from staging.stg_support__messages
    ) as seen
$$;

create or replace function ops.backfill_range(p_family text, p_tenant_id text, p_now timestamptz default now())
returns table (first_date date, last_date date)
language plpgsql stable
as $$
declare
    zone text;
begin
    -- Upstream's default: closed local days with events. Today is rebuilt like any other when asked for.
    select tenants.timezone into zone from staging.stg_support__tenants as tenants
    where p_family = 'support' and tenants.tenant_id = p_tenant_id;
    if zone is null then
        raise exception 'reporting_timezone_required: account % has no valid reporting time zone', p_tenant_id
            using errcode = '22023', hint = 'set one: rollups timezone set';
    end if;
    return query
    select
        min((events.occurred_at at time zone zone)::date),
        least(max((events.occurred_at at time zone zone)::date), (p_now at time zone zone)::date - 1)
    from staging.stg_support__events as events
    where events.tenant_id = p_tenant_id
    having min(events.occurred_at) is not null;
end
$$;
comment on function ops.backfill_range is 'Closed local days on which an account has events; no row when it has none';

create or replace function ops.support_affected(p_seed text, p_rules jsonb)
returns table (tenant_id text, grain text, key text)
language sql stable
as $$
    select events.tenant_id, 'conversation', coalesce(events.conversation_id::text, 'event/' || events.event_id)
    from staging.stg_support__events as events
    where
        p_seed = 'metric_registry'
        and events.name in (select rule ->> 'event_name' from jsonb_array_elements(p_rules) as rule)
$$;
comment on function ops.support_affected is 'Subjects whose numbers depend on changed rows of a rule seed';
