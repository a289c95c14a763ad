-- What the machinery asks of the outreach family: functions that are called by their names.
set check_function_bodies = off;

create or replace view ops.outreach_scope as
select tenant_id, dates, date_from, date_to
from ops.refresh_scope
where family = 'outreach' and refresh_id = ops.current_refresh_id();
comment on view ops.outreach_scope is 'Scope of the refresh of this session: tenants and the dates to replace whole';

create or replace view ops.outreach_claim as
select tenant_id, grain, key
from ops.refresh_claim
where family = 'outreach' and refresh_id = ops.current_refresh_id();
comment on view ops.outreach_claim is 'Claimed work of the refresh of this session';

create or replace function ops.outreach_days(p_tenant_id text) returns setof date
language plpgsql stable
as $$
begin
    return query
    select date from analytics.metrics_tenant_daily where tenant_id = p_tenant_id;
end
$$;
comment on function ops.outreach_days is 'Local dates on which a tenant has rollups';

create or replace function ops.outreach_rows(p_tenant_id text) returns bigint
language plpgsql stable
as $$
begin
    return
        (select count(*) from analytics.metrics_message as t where t.tenant_id = p_tenant_id)
        + (select count(*) from analytics.metrics_contact_hourly as t where t.tenant_id = p_tenant_id)
        + (select count(*) from analytics.metrics_campaign_daily as t where t.tenant_id = p_tenant_id)
        + (select count(*) from analytics.metrics_tenant_daily as t where t.tenant_id = p_tenant_id);
end
$$;
comment on function ops.outreach_rows is 'Rows of a tenant in the rollups';

create or replace function ops.outreach_first_rollup_date() returns date
language sql stable
as $$ select min(date) from analytics.metrics_tenant_daily $$;

create or replace function ops.outreach_source_dates()
returns table (first_date date, last_date date)
language sql stable
as $$
    -- Tenant-local dates differ from UTC ones by a day at most.
    select (min(seen.first_at) - interval '1 day')::date, (max(seen.last_at) + interval '1 day')::date
    from (
        select min(sent_at) as first_at, max(sent_at) as last_at
        from staging.stg_outreach__messages
        where sent_at between ops.min_event_at() and now() + interval '1 day'
        union all
        -- Sorted by the stored column: an index of the source answers at once.
        (
            select occurred_at, occurred_at
            from staging.stg_outreach__events
            where occurred_watermark >= ops.min_event_at()
            order by occurred_watermark
            limit 1
        )
        union all
        (
            select occurred_at, occurred_at
            from staging.stg_outreach__events
            where occurred_watermark <= now() + interval '1 day'
            order by occurred_watermark desc
            limit 1
        )
    ) as seen;
$$;

create or replace function ops.outreach_affected(p_seed text, p_rules jsonb)
returns table (tenant_id text, grain text, key text)
language plpgsql stable
as $$
begin
    return query
    select events.tenant_id, 'message', events.message_id
    from intermediate.outreach_message_events as events
    where
        p_seed = 'event_type_map'
        and events.raw_type in (select rule ->> 'raw_type' from jsonb_array_elements(p_rules) as rule)
    union all
    select ledger.tenant_id, 'message', ledger.message_id
    from intermediate.outreach_activity_ledger as ledger
    where
        p_seed = 'machine_rules'
        and ledger.verdict = 'counted'
        and ledger.kind in (select rule ->> 'applies_to' from jsonb_array_elements(p_rules) as rule)
    union all
    select messages.tenant_id, 'message', messages.message_id
    from staging.stg_outreach__messages as messages
    where
        p_seed = 'provider_capabilities'
        and messages.provider_message_id ~ any(
            select rule ->> 'provider_message_id_pattern' from jsonb_array_elements(p_rules) as rule
        );
end
$$;
comment on function ops.outreach_affected is 'Subjects whose numbers depend on changed rows of a rule seed';

create or replace function ops.outreach_forget_changes(p_refresh_id uuid) returns void
language plpgsql
as $$
declare
    changes text;
begin
    -- Every rollup has run in this refresh, so each says how far it has come.
    foreach changes in array array['outreach_activity_change', 'outreach_message_change'] loop
        execute format($q$
            delete from ops.%1$I as changed
            using (
                select applied.tenant_id, min(applied.seq) as seq
                from ops.outreach_change_applied as applied
                inner join ops.refresh_scope as scope
                    on applied.tenant_id = scope.tenant_id and scope.refresh_id = $1 and scope.family = 'outreach'
                where applied.change_table = %1$L
                group by applied.tenant_id
            ) as done
            where changed.tenant_id = done.tenant_id and changed.seq <= done.seq
        $q$, changes) using p_refresh_id;
    end loop;
end
$$;
comment on function ops.outreach_forget_changes is 'Deletes the changes that every rollup has added up';

create or replace function ops.outreach_add_optouts() returns void
language sql
as $$
    -- Opt-outs are recomputed only for tenants where one came or went with a message, or the sending
    -- changed that says whether a machine did it. On dates replaced whole nothing tells of changes.
    insert into intermediate.outreach_scope_subjects (refresh_id, tenant_id, grain, key, whole)
    with messages as (
        select
            subjects.tenant_id,
            subjects.key as message_id,
            not isempty(scope.dates) as has_dates
        from intermediate.outreach_scope_subjects as subjects
        inner join ops.outreach_scope as scope on subjects.tenant_id = scope.tenant_id
        where subjects.refresh_id = ops.current_refresh_id() and subjects.grain = 'message' and subjects.whole
    ),

    tenants as materialized (
        select ledger.tenant_id
        from messages
        inner join intermediate.outreach_activity_ledger as ledger
            on messages.tenant_id = ledger.tenant_id and messages.message_id = ledger.message_id
        where
            ledger.kind in ('unsubscribe', 'resubscribe')
            and (
                messages.has_dates
                or exists (
                    select 1
                    from ops.outreach_activity_change as changed
                    where
                        ledger.tenant_id = changed.tenant_id
                        and ledger.contact_id = changed.contact_id
                        and ledger.campaign_id = changed.campaign_id
                        and changed.kind = 'send'
                )
            )
        union
        select changed.tenant_id
        from ops.outreach_activity_change as changed
        where changed.kind in ('unsubscribe', 'resubscribe')
    )

    select ops.current_refresh_id(), scope.tenant_id, 'optouts', '', true
    from ops.outreach_scope as scope
    inner join tenants on scope.tenant_id = tenants.tenant_id
    on conflict (refresh_id, tenant_id, grain, key) do update set whole = true;
$$;
comment on function ops.outreach_add_optouts is 'Takes the opt-outs into scope that follow from messages in scope; after the activity ledger';
