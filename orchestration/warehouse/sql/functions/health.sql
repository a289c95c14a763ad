-- Health: what looks wrong, by check and tenant; no row when all is well. Severity is warn or error.
-- The names and meanings of the checks are in orchestration/checks.py.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.freshness_trouble(p_family text, p_interval interval default '1 hour')
returns table (check_name text, tenant_id text, severity text, detail text)
language sql stable
as $$
    -- p_interval: how often a refresh is due. Two missed refreshes and a third, as for the alert.
    select
        'every_tenant_has_rollups',
        tenant_id,
        'warn',
        problem
    from ops.tenant_status(p_family)
    where problem is not null

    union all

    select
        'tenants_are_fresh',
        tenant_id,
        case when complete_through > now() - 24 * p_interval then 'warn' else 'error' end,
        coalesce(
            'complete through ' || to_char(complete_through at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC',
            'not loaded yet'
        )
    from ops.tenant_status(p_family)
    where problem is null and coalesce(complete_through, '-infinity') < now() - p_interval * 7 / 3

    union all

    select
        'refreshes_take_their_usual_time',
        null,
        'warn',
        detail
    from ops.alerts(p_family, p_interval)
    where alert = 'slow_refresh'
$$;
comment on function ops.freshness_trouble is 'Tenants without rollups, tenants whose rollups are old, a refresh that takes much longer than usual';

create or replace function ops.outreach_trouble()
returns table (check_name text, tenant_id text, severity text, detail text)
language sql stable
as $$
    with month as (
        select
            tenant_id,
            sum(delivered) as delivered,
            sum(unique_opens) as opened,
            sum(complaints) as complaints
        from analytics.metrics_tenant_daily
        where date > current_date - 30
        group by tenant_id
    ),

    -- Each has had a day to tell what became of it.
    outcomes as (
        select
            messages.tenant_id,
            count(*) as sends,
            count(*) filter (
                where coalesce(
                    messages.first_delivered_at, messages.first_bounce_at, messages.first_drop_at
                ) is null
            ) as without
        from (select distinct month.tenant_id from month) as tenants
        cross join lateral (
            select *
            from analytics.metrics_message as sent
            where
                sent.tenant_id = tenants.tenant_id
                and sent.date >= current_date - 4
                and sent.is_trackable
                and sent.sent_at between now() - interval '72 hours' and now() - interval '24 hours'
        ) as messages
        group by messages.tenant_id
    )

    -- Above 0.1 % mailbox providers begin to hold mail back, above 0.3 % they refuse it.
    select
        'complaints_are_few',
        tenant_id,
        case when complaints >= 0.003 * delivered then 'error' else 'warn' end,
        format(
            '%s complaints about %s delivered messages in 30 days (%s %%)',
            complaints, delivered, round(100.0 * complaints / nullif(delivered, 0), 2)
        )
    from month
    where complaints >= 3 and complaints >= 0.001 * delivered

    union all

    select
        'open_rate_is_possible',
        tenant_id,
        'warn',
        format('%s messages opened and %s delivered in 30 days: reports of deliveries are missing', opened, delivered)
    from month
    where opened > delivered

    union all

    select
        'sends_have_outcomes',
        tenant_id,
        case when without >= 0.8 * sends then 'error' else 'warn' end,
        format('%s of %s messages sent one to three days ago are neither delivered nor bounced nor dropped', without, sends)
    from outcomes
    where without >= 20 and without >= 0.2 * sends
$$;
comment on function ops.outreach_trouble is 'Tenants whose complaints, open rate or missing outcomes look wrong; read from marts in milliseconds';

create or replace function ops.support_trouble()
returns table (check_name text, tenant_id text, severity text, detail text)
language sql stable
as $$
    select
        'durations_are_possible',
        tenant_id,
        'warn',
        format('%s has a negative sum on %s days of the last 30, the first %s', metric, count(*), min(date))
    from analytics.reporting_events_rollups
    where date > current_date - 30 and dimension_type = 'account' and (sum_value < 0 or sum_value_business_hours < 0)
    group by tenant_id, metric
$$;
comment on function ops.support_trouble is 'Accounts whose metrics look wrong; read from marts in milliseconds';

create or replace function ops.quarantine_trouble(p_family text)
returns table (check_name text, tenant_id text, severity text, detail text)
language plpgsql stable
as $$
begin
    return query execute format($q$
        select
            'quarantine_is_small',
            tenant_id,
            case when held >= 0.1 * rows_in then 'error' else 'warn' end,
            format('%%s of %%s rows of the last 7 days are in quarantine', held, rows_in)
        from (
            select
                tenant_id,
                sum(row_count) as rows_in,
                sum(row_count) filter (where verdict = 'quarantined') as held
            from (
                select tenant_id, verdict, row_count from intermediate.%I where date > current_date - 7
                union all
                select tenant_id, 'quarantined', row_count from ops.quarantined_row
                where family = $1 and date > current_date - 7
            ) as verdicts
            group by tenant_id
        ) as shares
        where held >= 10 and held >= 0.01 * rows_in
    $q$, p_family || '_verdicts') using p_family;
end
$$;
comment on function ops.quarantine_trouble is 'Tenants with much in quarantine of the last 7 days. Reads ledgers';

create or replace function ops.outreach_sums_trouble()
returns table (check_name text, tenant_id text, severity text, detail text)
language sql stable
as $$
    with totals as (
        select
            tenant_id, date, 'contact' as grain,
            array[
                sum(sends), sum(delivered), sum(opens), sum(clicks), sum(bounces),
                sum(unsubscribes), sum(unique_opens), sum(unique_clicks)
            ] as numbers
        from analytics.metrics_contact_hourly group by tenant_id, date
        union all
        select
            tenant_id, date, 'campaign',
            array[
                sum(sends), sum(delivered), sum(opens), sum(clicks), sum(bounces),
                sum(unsubscribes), sum(unique_opens), sum(unique_clicks)
            ]
        from analytics.metrics_campaign_daily group by tenant_id, date
        union all
        select
            tenant_id, date, 'tenant',
            array[sends, delivered, opens, clicks, bounces, unsubscribes, unique_opens, unique_clicks]
        from analytics.metrics_tenant_daily
    ),

    differing as (
        select tenant_id, date
        from totals
        -- a day with nothing but a transition has a row by campaign alone
        where numbers <> array_fill(0::numeric, array[8])
        group by tenant_id, date
        having count(*) < 3 or min(numbers) <> max(numbers)
    )

    select
        'sums_agree',
        tenant_id,
        'error',
        format('contacts, campaigns and tenant differ on %s days, the first %s', count(*), min(date))
    from differing
    group by tenant_id
$$;
comment on function ops.outreach_sums_trouble is 'Tenants whose three grains do not add up to the same. Reads whole marts';

create or replace function ops.support_sums_trouble()
returns table (check_name text, tenant_id text, severity text, detail text)
language sql stable
as $$
    with totals as (
        select
            tenant_id, date, metric, dimension_type,
            sum(count) as events
        from analytics.reporting_events_rollups
        -- a conversation counts once for its account and once for each of its agents
        where metric in (
            select registry.rollup_metric from staging.metric_registry as registry
            where registry.raw_count_strategy = 'events'
        )
        group by tenant_id, date, metric, dimension_type
    )

    -- An event need not have an agent or an inbox, but none has two.
    select
        'sums_agree',
        tenant_id,
        'error',
        format('%ss have more %s than their account on %s days, the first %s', parts.dimension_type, metric, count(*), min(date))
    from totals as parts
    left join (select * from totals where dimension_type = 'account') as whole using (tenant_id, date, metric)
    where parts.dimension_type <> 'account' and parts.events > coalesce(whole.events, 0)
    group by tenant_id, parts.dimension_type, metric
$$;
comment on function ops.support_sums_trouble is 'Accounts whose agents or inboxes have more than the account. Reads the whole mart';

create or replace function ops.trouble(p_family text, p_is_thorough boolean)
returns table (check_name text, tenant_id text, severity text, detail text)
language plpgsql stable
as $$
begin
    if p_is_thorough then
        return query select * from ops.quarantine_trouble(p_family);
        return query execute format('select * from ops.%I()', p_family || '_sums_trouble');
    else
        return query select * from ops.freshness_trouble(p_family);
        return query execute format('select * from ops.%I()', p_family || '_trouble');
    end if;
end
$$;
comment on function ops.trouble is 'Everything that looks wrong with a family: what is asked after every refresh, or (thorough) once a day';
