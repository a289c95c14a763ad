-- What the outreach marts should hold, from the recount of verify_outreach.sql: one temporary
-- table per mart, under the mart's name and with its columns (all but is_mature, which depends on
-- today), and the list of them in pg_temp.recounted_model for verify_compare.sql.

create temp table recounted_model on commit drop as
select listed.place, listed.model, listed.key
from (
    values
        (1, 'metrics_message', array['message_id']),
        (2, 'metrics_contact_hourly', array['contact_id', 'channel', 'hour']),
        (3, 'metrics_campaign_daily', array['campaign_id', 'date']),
        (4, 'metrics_tenant_daily', array['date']),
        (5, 'metrics_campaign_cohort_daily', array['campaign_id', 'date']),
        (6, 'metrics_tenant_cohort_daily', array['date'])
) as listed (place, model, key);

create temp table metrics_message on commit drop as
select
    tenant_id,
    message_id,
    contact_id,
    campaign_id,
    channel,
    date,
    sent_at,
    implied_sent_at,
    failed_at,
    first_delivered_at,
    first_open_at,
    first_human_open_at,
    first_click_at,
    first_bounce_at,
    first_drop_at,
    first_complaint_at,
    first_unsubscribe_at,
    first_reply_at,
    deliveries,
    opens,
    human_opens,
    clicks,
    suspected_bot_clicks,
    replies,
    is_trackable,
    coalesce(not is_block, false) as is_hard_bounce
from message_fact;

-- Campaign lifecycle: duplicates out, each transition on the local day it occurred.
create temp table transition on commit drop as
with arrived as (
    select distinct on (
        transition.tenant_id, transition.campaign_id, transition.reason, transition.occurred_at,
        transition.from_status, transition.to_status
    )
        transition.tenant_id,
        transition.campaign_id,
        transition.to_status::text as to_status,
        transition.occurred_at::timestamptz as occurred_at,
        transition.created_at,
        transition.id
    from (
        select distinct on (tenant_id, campaign_id, id) *
        from {source}.campaign_transitions as step
        order by tenant_id, campaign_id, id, created_at, occurred_at, to_status, reason
    ) as transition
    inner join known_tenant on transition.tenant_id = known_tenant.tenant_id
    cross join asked
    where greatest(octet_length(transition.id), octet_length(transition.campaign_id)) <= 500
        and transition.id is not null
        and transition.campaign_id is not null
        and transition.to_status is not null
        and transition.occurred_at::timestamptz >= asked.first_instant
        and transition.created_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
        and transition.occurred_at::timestamptz
            <= least(transition.created_at::timestamptz, timestamptz '9000-01-01') + interval '1 day'
    order by
        transition.tenant_id, transition.campaign_id, transition.reason, transition.occurred_at,
        transition.from_status, transition.to_status,
        transition.created_at, transition.id collate "C"
),

with_kept as (
    select tenant_id, campaign_id, to_status, occurred_at, created_at::timestamptz, id
    from arrived
    where (tenant_id, id) not in (
        select ledger.tenant_id, ledger.transition_id from {transition_ledger} as ledger
        where ledger.verdict = 'duplicate' and (select policy.keeps from policy)
    )
    union all
    select ledger.tenant_id, ledger.campaign_id, ledger.to_status, ledger.occurred_at, ledger.ingested_at, ledger.transition_id
    from {transition_ledger} as ledger
    inner join known_tenant on ledger.tenant_id = known_tenant.tenant_id
    where ledger.is_source_gone and ledger.verdict = 'counted'
)

select
    arrived.tenant_id,
    arrived.campaign_id,
    arrived.to_status,
    (arrived.occurred_at at time zone coalesce(zone.timezone, 'UTC'))::date as date,
    row_number() over (
        partition by arrived.tenant_id, arrived.campaign_id
        order by arrived.occurred_at, arrived.created_at, arrived.id collate "C"
    ) as step
from with_kept as arrived
left join zone_of_tenant as zone on arrived.tenant_id = zone.tenant_id;

analyze transition;

do $counts$
declare
    counts text := (
        select string_agg(format('count(*) filter (where metric = %L) as %I', name, name), ', ')
        from unnest(enum_range(null::pg_temp.metric)) as name
        where name < 'transitions'
    );
    campaign_counts text := (
        select string_agg(format('count(*) filter (where metric = %L) as %I', name, name), ', ')
        from unnest(enum_range(null::pg_temp.metric)) as name
    );
begin
    execute 'create temp table metrics_contact_hourly on commit drop as
        select tenant_id, contact_id, channel, hour, min(date) as date, ' || counts || '
        from recount group by tenant_id, contact_id, channel, hour';
    execute 'create temp table campaign_count on commit drop as
        select tenant_id, campaign_id, date, ' || campaign_counts || '
        from (
            select tenant_id, campaign_id, date, metric from recount
            union all
            select tenant_id, campaign_id, date, ''transitions'' from transition
            union all
            select tenant_id, campaign_id, date, lifecycle.metric::pg_temp.metric
            from transition
            inner join (
                values
                    (''active'', ''activated''), (''paused'', ''paused''),
                    (''completed'', ''completed''), (''stopped'', ''stopped''),
                    (''error'', ''errored'')
            ) as lifecycle (to_status, metric) using (to_status)
        ) as activity
        group by tenant_id, campaign_id, date';
    execute 'create temp table metrics_tenant_daily on commit drop as
        select tenant_id, date, ' || counts || '
        from recount group by tenant_id, date';
end
$counts$;

-- The last step known at the end of a local day holds until the next day that has one.
create temp table metrics_campaign_daily on commit drop as
with known as (
    select
        tenant_id,
        campaign_id,
        date,
        lead(date) over campaign_days as next_date,
        max(max(step)) over campaign_days as last_step
    from transition
    group by tenant_id, campaign_id, date
    window campaign_days as (partition by tenant_id, campaign_id order by date)
)

select
    campaign_count.*,
    -- the key of many campaigns has no status
    case when campaign_count.campaign_id <> '__erased__' then transition.to_status end as status_at_close
from campaign_count
left join known
    on campaign_count.tenant_id = known.tenant_id
    and campaign_count.campaign_id = known.campaign_id
    and campaign_count.date >= known.date
    and (known.next_date is null or campaign_count.date < known.next_date)
left join transition
    on known.tenant_id = transition.tenant_id
    and known.campaign_id = transition.campaign_id
    and known.last_step = transition.step;

-- Send-day cohorts: messages by what has become of them, one list of flags for both tables.
do $flags$
declare
    flags text := (
        select string_agg(format('count(%s) as %I', flag, name), ', ' order by place)
        from (
            values
                (1, 'sent', 'sent_at'),
                (2, 'implied_sent', 'implied_sent_at'),
                (3, 'delivered', 'coalesce(first_delivered_at, first_open_or_click_at)'),
                (4, 'opened', 'first_open_or_click_at'),
                (5, 'human_opened', 'first_human_open_at'),
                (6, 'clicked', 'first_click_at'),
                (7, 'bounced', 'first_bounce_at'),
                (8, 'dropped', 'first_drop_at'),
                (9, 'complained', 'first_complaint_at'),
                (10, 'unsubscribed', 'first_unsubscribe_at'),
                (11, 'replied', 'first_reply_at'),
                (12, 'delivered_strict', 'first_delivered_at'),
                (13, 'opened_strict', 'first_open_at')
        ) as listed (place, name, flag)
    );
    ages text := (
        select string_agg(
            format(
                'count(*) filter (where %s - coalesce(sent_at, implied_sent_at) <= interval %L)
                    as %I', first_at, span, reaction.name || '_within_' || age.name
            ), ', '
        )
        from (
            values
                ('opened', 'first_open_or_click_at'), ('clicked', 'first_click_at'),
                ('replied', 'first_reply_at')
        ) as reaction (name, first_at)
        cross join (
            values ('1h', '1 hour'), ('24h', '24 hours'), ('72h', '72 hours'), ('7d', '168 hours')
        ) as age (name, span)
    );
    something text := 'num_nonnulls(sent_at, implied_sent_at, first_delivered_at,
        first_open_or_click_at, first_bounce_at, first_drop_at, first_complaint_at,
        first_unsubscribe_at, first_reply_at) > 0';
begin
    execute 'create temp table metrics_campaign_cohort_daily on commit drop as
        select tenant_id, campaign_id, date, ' || flags || ', ' || ages || '
        from message_fact where ' || something || ' group by tenant_id, campaign_id, date';
    execute 'create temp table metrics_tenant_cohort_daily on commit drop as
        select tenant_id, date, ' || flags || ', ' || ages || '
        from message_fact where ' || something || ' group by tenant_id, date';
end
$flags$;

create temp table kept_count on commit drop as
select
    (select count(*) from kept)
    + (select count(*) from kept_optout where is_source_gone)
    + (select count(*) from {transition_ledger} as ledger where ledger.is_source_gone) as row_count;
