-- Every counted activity in pg_temp.recount, one row each, with its local hour and date.
-- Continues verify_outreach.sql in the same transaction.

-- Opt-outs: one per episode of (tenant, channel, address) --------------------------------------

create temp table optout on commit drop as
with contact as (
    select
        point.id as contact_id,
        lead.tenant_id,
        nullif(lower(btrim(point.email)), '') as address
    from {source}.lead_point_of_contacts as point
    inner join {source}.leads as lead on point.lead_id = lead.id
    where octet_length(point.id) <= 500
),

only_contact as (
    select tenant_id, address, min(contact_id) as contact_id
    from contact
    where address is not null
    group by tenant_id, address
    having count(*) = 1
),

evidence as (
    select
        message.tenant_id,
        message.channel,
        coalesce('address ' || contact.address, 'contact ' || message.contact_id) as person,
        counted.event_at as occurred_at,
        counted.kind = 'resubscribe' as is_return,
        counted.event_id as source_id,
        true as from_message,
        message.campaign_id,
        message.contact_id,
        counted.event_at <= message.sent_at + interval '120 seconds' as is_prompt
    from counted
    inner join message on counted.message_id = message.message_id
    left join contact on message.contact_id = contact.contact_id
    where counted.kind in ('unsubscribe', 'resubscribe')
    union all
    select
        listed.tenant_id,
        coalesce(listed.channel::text, '__none__'),
        'address ' || coalesce(lower(btrim(listed.channel_value)), ''),
        listed.unsubscribed_at::timestamptz,
        false,
        listed.id,
        false,
        coalesce(listed.campaign_id, '__none__'),
        coalesce(
            campaign.contact_id, listed.contact_id, only_contact.contact_id, '__none__'
        ),
        false
    from (
        select distinct on (tenant_id, id) *
        from {unsubscribes} as row_of_list
        order by tenant_id, id, created_at, unsubscribed_at
    ) as listed
    inner join known_tenant on listed.tenant_id = known_tenant.tenant_id
    cross join asked
    left join {source}.contact_campaigns as campaign
        on listed.campaign_id = campaign.id
        and greatest(octet_length(campaign.id), octet_length(campaign.contact_id)) <= 500
    left join only_contact
        on listed.tenant_id = only_contact.tenant_id
        and lower(btrim(listed.channel_value)) = only_contact.address
    where octet_length(listed.id) <= 500
        and greatest(
            octet_length(listed.campaign_id), octet_length(listed.contact_id),
            octet_length(listed.channel::text), 0
        ) <= 500
        and listed.unsubscribed_at::timestamptz >= asked.first_instant
        and listed.created_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
        and listed.unsubscribed_at::timestamptz
            <= least(listed.created_at::timestamptz, timestamptz '9000-01-01') + interval '1 day'
),

episode as (
    select
        evidence.*,
        count(*) filter (where is_return) over (
            partition by tenant_id, channel, person
            order by occurred_at, is_return, source_id collate "C"
            rows unbounded preceding
        ) as returns_before
    from evidence
),

ranked as (
    select
        episode.*,
        row_number() over (
            partition by tenant_id, channel, person, returns_before
            order by occurred_at, source_id collate "C"
        ) as place,
        row_number() over (
            partition by tenant_id, channel, person, returns_before
            order by from_message desc, occurred_at, source_id collate "C"
        ) as speaker
    from episode
    where not is_return
)

select
    first_out.tenant_id,
    attributed.campaign_id,
    attributed.contact_id,
    first_out.channel,
    first_out.occurred_at,
    coalesce(first_out.is_prompt, false) as is_suspected_bot
from ranked as first_out
inner join ranked as attributed using (tenant_id, channel, person, returns_before)
where first_out.place = 1 and attributed.speaker = 1;

-- Which episode evidence was part of whose person is gone, the ledger alone remembers.
create temp table gone_tenant on commit drop as
select distinct gone.tenant_id from {optout_ledger} as gone where gone.is_source_gone;

create temp table kept_optout on commit drop as
select ledger.*
from {optout_ledger} as ledger
inner join known_tenant on ledger.tenant_id = known_tenant.tenant_id
where ledger.verdict = 'counted'
    and (
        (select policy.keeps from policy)
        or ledger.tenant_id in (select gone_tenant.tenant_id from gone_tenant)
    );

delete from optout
where (select policy.keeps from policy) or tenant_id in (select kept_optout.tenant_id from kept_optout);

insert into optout (tenant_id, campaign_id, contact_id, channel, occurred_at, is_suspected_bot)
select tenant_id, campaign_id, contact_id, channel, occurred_at, is_machine from kept_optout;

analyze optout;

-- A reply loses its campaign and contact when these are deleted.
create temp table remembered on commit drop as
select ledger.tenant_id, ledger.message_id, ledger.campaign_id, ledger.contact_id
from {activity_ledger} as ledger
where ledger.activity_id = 'inbound'
    and (select config.value from ops.config as config where config.name = 'delete_policy') = 'freeze';

analyze remembered;

-- Every counted activity, one row each ---------------------------------------------------------

-- In the order of the marts' columns; from transitions on, of campaigns only.
-- Of this session alone: Citus would make it on its nodes too.
set local citus.enable_ddl_propagation = off;
create type pg_temp.metric as enum (
    'sends', 'delivered', 'opens', 'clicks', 'bounces', 'unsubscribes', 'unique_opens',
    'unique_clicks', 'failures', 'drops', 'hard_bounces', 'blocks', 'complaints', 'replies',
    'machine_opens', 'unique_human_opens', 'suspected_bot_clicks', 'optouts', 'implied_sends',
    'trackable_sends', 'unique_opens_or_clicks', 'resubscribes', 'suspected_bot_optouts',
    'transitions', 'activated', 'paused', 'completed', 'stopped', 'errored'
);

create temp table recount on commit drop as
with activity as (
    select
        fact.tenant_id, fact.campaign_id, fact.contact_id, fact.channel,
        once.metric, once.occurred_at
    from message_fact as fact
    cross join lateral (
        values
            ('sends', fact.sent_at),
            ('trackable_sends', case when fact.is_trackable then fact.sent_at end),
            ('implied_sends', fact.implied_sent_at),
            ('failures', fact.failed_at),
            ('delivered', fact.first_delivered_at),
            ('unique_opens', fact.first_open_at),
            ('unique_human_opens', fact.first_human_open_at),
            ('unique_clicks', fact.first_click_at),
            ('unique_opens_or_clicks', fact.first_open_or_click_at),
            ('bounces', fact.first_bounce_at),
            ('hard_bounces', case when not fact.is_block then fact.first_bounce_at end),
            ('blocks', case when fact.is_block then fact.first_bounce_at end),
            ('drops', fact.first_drop_at),
            ('complaints', fact.first_complaint_at),
            ('unsubscribes', fact.first_unsubscribe_at)
    ) as once (metric, occurred_at)
    where once.occurred_at is not null
    union all
    select
        message.tenant_id, message.campaign_id, message.contact_id, message.channel,
        case counted.kind when 'reply' then 'replies' else 'resubscribes' end,
        counted.event_at
    from counted
    inner join message on counted.message_id = message.message_id
    where counted.kind in ('reply', 'resubscribe')
    union all
    select
        message.tenant_id, message.campaign_id, message.contact_id, message.channel,
        counting.metric, reaction.event_at
    from reaction
    inner join message on reaction.message_id = message.message_id
    cross join lateral (
        values
            (reaction.kind || 's', true),
            (
                case reaction.kind when 'open' then 'machine_opens' else 'suspected_bot_clicks' end,
                reaction.is_machine
            )
    ) as counting (metric, applies)
    where counting.applies
    union all
    select tenant_id, campaign_id, contact_id, channel, 'replies', occurred_at
    from kept
    where activity_id = 'inbound' and verdict = 'counted'
    union all
    select
        inbound.tenant_id,
        coalesce(inbound.campaign_id, remembered.campaign_id, '__none__'),
        coalesce(inbound.contact_id, remembered.contact_id, '__none__'),
        coalesce(inbound.channel::text, '__none__'),
        'replies',
        inbound.received_at::timestamptz
    from (
        select distinct on (tenant_id, id) *
        from {inbound} as reply
        order by tenant_id, id, updated_at, received_at
    ) as inbound
    inner join known_tenant on inbound.tenant_id = known_tenant.tenant_id
    left join remembered
        on inbound.tenant_id = remembered.tenant_id
        and remembered.message_id = 'inbound/' || inbound.id
    cross join asked
    where octet_length(inbound.id) <= 500
        and greatest(
            octet_length(inbound.campaign_id), octet_length(inbound.contact_id),
            octet_length(inbound.channel::text), 0
        ) <= 500
        and inbound.received_at::timestamptz >= asked.first_instant
        and inbound.updated_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
        and inbound.received_at::timestamptz
            <= least(inbound.updated_at::timestamptz, timestamptz '9000-01-01') + interval '1 day'
    union all
    select
        optout.tenant_id, optout.campaign_id, optout.contact_id, optout.channel,
        counting.metric, optout.occurred_at
    from optout
    cross join lateral (
        values ('optouts', true), ('suspected_bot_optouts', optout.is_suspected_bot)
    ) as counting (metric, applies)
    where counting.applies
)

select
    activity.tenant_id,
    activity.campaign_id,
    activity.contact_id,
    activity.channel,
    activity.metric::pg_temp.metric as metric,
    local_day.date,
    date_trunc('hour', activity.occurred_at, coalesce(zone.timezone, 'UTC')) as hour
from activity
cross join asked
left join zone_of_tenant as zone on activity.tenant_id = zone.tenant_id
cross join lateral (
    select (activity.occurred_at at time zone coalesce(zone.timezone, 'UTC'))::date
) as local_day (date)
where (asked.date_from is null or local_day.date >= asked.date_from)
    and (asked.date_to is null or local_day.date <= asked.date_to);

analyze recount;
