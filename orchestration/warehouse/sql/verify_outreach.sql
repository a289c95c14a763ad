-- Recounts the outreach metrics from the source tables and compares them with the marts.
--
-- Shares nothing with the dbt models: it reads the source, the rule seeds in schema staging and
-- the settings in schema ops, always whole history, and looks at the marts only to compare.
-- Run it inside one transaction: every table it makes is temporary and dropped on commit.
--
-- What a ledger keeps although the source has it no more (delete policies freeze and erase) nobody
-- else knows of: these rows are taken from the ledger, and the report counts them.
--
-- source, unsubscribes and inbound in braces are filled in by warehouse/verify.py (a schema, and
-- two tables that a source may lack), so are the ledgers. What to compare comes from the session:
--   rollups.verify_from, rollups.verify_to   first and last local date, empty = unbounded
--   rollups.verify_tenants                   JSON array of tenant ids, empty = all
--
-- Four scripts in one transaction: this one settles which messages and events count and makes
-- pg_temp.message_fact; verify_outreach_activity.sql makes pg_temp.recount, one row per counted
-- activity; verify_outreach_marts.sql what the marts should hold; verify_compare.sql compares.
-- Ids that break a tie are compared byte by byte (collate "C").

set local timezone = 'UTC';
set local search_path = pg_catalog, pg_temp;
set local work_mem = '128MB';
set local jit = off;

-- What is asked, and the rules ----------------------------------------------------------------

create temp table asked on commit drop as
select
    nullif(current_setting('rollups.verify_from', true), '')::date as date_from,
    nullif(current_setting('rollups.verify_to', true), '')::date as date_to,
    coalesce(
        (select config.value::date from ops.config where config.name = 'min_event_date'),
        date '2000-01-01'
    )::timestamptz as first_instant;

create temp table asked_tenant on commit drop as
select distinct listed.tenant_id
from jsonb_array_elements_text(
    coalesce(nullif(current_setting('rollups.verify_tenants', true), ''), '[]')::jsonb
) as listed (tenant_id);

create temp table zone_of_tenant on commit drop as
select setting.tenant_id, setting.timezone
from ops.tenant_setting as setting
where setting.family = 'outreach' and setting.timezone is not null;

create temp table policy on commit drop as
select coalesce(max(config.value), 'restate') <> 'restate' as keeps
from ops.config as config where config.name = 'delete_policy';

-- Rows of anybody else have nobody to be counted for.
create temp table known_tenant on commit drop as
select distinct tenant.id as tenant_id
from {source}.tenants as tenant
where length(tenant.id) between 1 and 200
    and tenant.id !~ '[|,[:cntrl:]]'
    and strpos(tenant.id, '...') = 0
    and tenant.id = btrim(tenant.id)
    and (
        not exists (select from asked_tenant)
        or tenant.id in (select asked_tenant.tenant_id from asked_tenant)
    );

-- Null where the seed has no such rule: a comparison with it is then never true.
create temp table rule on commit drop as
select
    max(value::numeric) filter (where applies_to = 'open' and kind = 'seconds_after_delivered')
        * interval '1 second' as open_delay,
    max(value::numeric) filter (where applies_to = 'click' and kind = 'seconds_after_delivered')
        * interval '1 second' as click_delay,
    min(value::numeric) filter (where applies_to = 'click' and kind = 'distinct_urls_per_second')
        as click_urls
from staging.machine_rules;

-- Messages ------------------------------------------------------------------------------------

-- Of rows with one id the one that came in first.
create temp table message on commit drop as
select distinct on (outbound.tenant_id, outbound.id)
    outbound.id as message_id,
    outbound.tenant_id,
    coalesce(outbound.campaign_id, '__none__') as campaign_id,
    coalesce(outbound.contact_id, '__none__') as contact_id,
    coalesce(outbound.channel::text, '__none__') as channel,
    outbound.state::text as state,
    case
        when outbound.state::text = 'sent'
            and outbound.sent_at::timestamptz >= asked.first_instant
            and outbound.updated_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
            and outbound.sent_at::timestamptz
                <= least(outbound.updated_at::timestamptz, timestamptz '9000-01-01') + interval '1 day'
            then outbound.sent_at::timestamptz
    end as sent_at,
    case
        when coalesce(outbound.error_at, outbound.updated_at)::timestamptz >= asked.first_instant
            and outbound.updated_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
            and coalesce(outbound.error_at, outbound.updated_at)::timestamptz
                <= least(outbound.updated_at::timestamptz, timestamptz '9000-01-01') + interval '1 day'
            then coalesce(outbound.error_at, outbound.updated_at)::timestamptz
    end as error_at,
    exists (
        select from staging.provider_capabilities as provider
        where provider.reports_events
            and outbound.provider_message_id ~ provider.provider_message_id_pattern
    ) as provider_reports
from {source}.outbound_messages as outbound
inner join known_tenant on outbound.tenant_id = known_tenant.tenant_id
cross join asked
where octet_length(outbound.id) <= 500
    and greatest(
        octet_length(outbound.campaign_id), octet_length(outbound.contact_id),
        octet_length(outbound.channel::text), 0
    ) <= 500
order by outbound.tenant_id, outbound.id, outbound.updated_at, outbound.state, outbound.sent_at;

-- What is kept, and the copies of it that the source still has.
create temp table kept on commit drop as
select ledger.*
from {activity_ledger} as ledger
inner join known_tenant on ledger.tenant_id = known_tenant.tenant_id
where ledger.is_source_gone;

create temp table copy_of_kept on commit drop as
select ledger.tenant_id, ledger.activity_id
from {activity_ledger} as ledger
where ledger.verdict = 'duplicate' and not ledger.is_source_gone
    and (ledger.tenant_id, ledger.copy_of) in (select kept.tenant_id, kept.activity_id from kept);

insert into message (
    message_id, tenant_id, campaign_id, contact_id, channel, state, sent_at, error_at, provider_reports
)
select
    message_id, tenant_id, campaign_id, contact_id, channel,
    case kind when 'send' then 'sent' when 'failure' then 'failed' else 'queued' end,
    case when kind = 'send' and verdict = 'counted' then occurred_at end,
    case when kind = 'failure' and verdict = 'counted' then occurred_at end,
    is_trackable
from kept
where activity_id = 'message';

analyze message;

-- Events: the eligible ones, then without the copies --------------------------------------------

-- An id that several rows have is the one's that came in first.
create temp table shared_id on commit drop as
select id from {source}.message_events group by id having count(*) > 1;

create temp table counted on commit drop as
with event as (
    select id, tenant_id, message_id, type, event_at, data, created_at, sg_event_id
    from {source}.message_events
    where octet_length(id) <= 500 and not exists (select from shared_id where shared_id.id = message_events.id)
    union all
    (
        select distinct on (message_id, id)
            id, tenant_id, message_id, type, event_at, data, created_at, sg_event_id
        from {source}.message_events
        where octet_length(id) <= 500 and exists (select from shared_id where shared_id.id = message_events.id)
        order by message_id, id, created_at, event_at, type
    )
)

select
    message.message_id,
    message.tenant_id,
    event.id as event_id,
    type_map.canonical_type as kind,
    event.event_at::timestamptz as event_at,
    event.created_at::timestamptz as created_at,
    case
        when event.sg_event_id <> '' and octet_length(event.sg_event_id) <= 500
            and not starts_with(event.sg_event_id, 'generated_')
            then event.sg_event_id
    end as provider_event_id,
    case when type_map.canonical_type in ('open', 'click')
        then coalesce(event.data ->> 'url', '') else '' end as url,
    case when type_map.canonical_type in ('open', 'click')
        then coalesce(event.data ->> 'ip', '') else '' end as ip,
    case when type_map.canonical_type in ('open', 'click')
        then coalesce(event.data ->> 'useragent', '') else '' end as agent,
    coalesce(
        type_map.canonical_type = 'open' and lower(event.data ->> 'sg_machine_open') = 'true', false
    ) as says_machine,
    coalesce(
        type_map.canonical_type = 'bounce' and lower(event.data ->> 'type') in ('blocked', 'soft'),
        false
    ) as is_block
from event
inner join message on event.message_id = message.message_id and event.tenant_id = message.tenant_id
inner join (
    select distinct lower(btrim(raw_type)) as raw_type, canonical_type
    from staging.event_type_map
    where canonical_type <> 'ignored'
) as type_map on lower(btrim(event.type)) = type_map.raw_type
cross join asked
where event.event_at::timestamptz >= asked.first_instant
    and event.created_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
    and event.event_at::timestamptz
        <= least(event.created_at::timestamptz, timestamptz '9000-01-01') + interval '1 day'
    and ops.is_readable_json(event.data);

analyze counted;

-- First one per provider id, then, of what is left, one per fingerprint. Copies are rare, so only
-- the rows that share a key with another are ranked.
delete from counted
using (
    select
        counted.ctid as place_in_table,
        row_number() over (
            partition by tenant_id, provider_event_id order by created_at, event_id collate "C"
        ) as place
    from counted
    where (tenant_id, provider_event_id) in (
        select tenant_id, provider_event_id
        from counted
        where provider_event_id is not null
        group by tenant_id, provider_event_id
        having count(*) > 1
    )
) as ranked
where counted.ctid = ranked.place_in_table and ranked.place > 1;

delete from counted
using (
    select
        counted.ctid as place_in_table,
        row_number() over (
            partition by message_id, kind, event_at, url, ip, agent
            order by created_at, event_id collate "C"
        ) as place
    from counted
    where (message_id, kind, event_at) in (
        select message_id, kind, event_at
        from counted
        group by message_id, kind, event_at
        having count(*) > 1
    )
) as ranked
where counted.ctid = ranked.place_in_table and ranked.place > 1;

delete from counted
using copy_of_kept as copy
where counted.tenant_id = copy.tenant_id and counted.event_id = copy.activity_id;

insert into counted (
    message_id, tenant_id, event_id, kind, event_at, created_at, url, ip, agent, says_machine, is_block
)
select
    message_id, tenant_id, activity_id, kind, occurred_at, ingested_at, '', '', '',
    is_machine, is_block
from kept
where activity_id not in ('message', 'inbound') and verdict = 'counted';

analyze counted;

-- Machines: opens and clicks made by no person -------------------------------------------------

create temp table reaction on commit drop as
with delivered as (
    select message_id, min(event_at) as first_delivered_at
    from counted
    where kind = 'delivered'
    group by message_id
),

machine_agent as (
    select seen.kind, seen.agent
    from (select distinct kind, agent from counted where kind in ('open', 'click')) as seen
    where exists (
        select from staging.machine_rules as listed
        where listed.kind = 'user_agent' and listed.applies_to = seen.kind
            and listed.value <> '' and strpos(lower(seen.agent), lower(listed.value)) > 0
    )
),

many_links as (
    select message_id, ip, agent, date_trunc('second', event_at) as second
    from counted
    where kind = 'click'
    group by message_id, ip, agent, date_trunc('second', event_at)
    having count(distinct url) >= (select rule.click_urls from rule)
)

select
    counted.message_id,
    counted.kind,
    counted.event_at,
    counted.says_machine
        or machine_agent.agent is not null
        or many_links.message_id is not null
        or coalesce(
            counted.event_at <= delivered.first_delivered_at
                + case counted.kind when 'open' then rule.open_delay else rule.click_delay end,
            false
        ) as is_machine
from counted
cross join rule
left join delivered on counted.message_id = delivered.message_id
left join machine_agent
    on counted.kind = machine_agent.kind and counted.agent = machine_agent.agent
left join many_links
    on counted.kind = 'click'
    and counted.message_id = many_links.message_id
    and counted.ip = many_links.ip
    and counted.agent = many_links.agent
    and date_trunc('second', counted.event_at) = many_links.second
where counted.kind in ('open', 'click');

analyze reaction;

-- One row per message with any counted activity ------------------------------------------------

create temp table message_fact on commit drop as
with event_fact as (
    select
        message_id,
        min(event_at) as first_event_at,
        min(event_at) filter (where kind in ('delivered', 'open', 'click', 'bounce'))
            as first_proof_at,
        min(event_at) filter (where kind = 'delivered') as first_delivered_at,
        min(event_at) filter (where kind = 'open') as first_open_at,
        min(event_at) filter (where kind = 'click') as first_click_at,
        min(event_at) filter (where kind in ('open', 'click')) as first_open_or_click_at,
        min(event_at) filter (where kind = 'bounce') as first_bounce_at,
        min(event_at) filter (where kind = 'dropped') as first_drop_at,
        min(event_at) filter (where kind = 'complaint') as first_complaint_at,
        min(event_at) filter (where kind = 'unsubscribe') as first_unsubscribe_at,
        min(event_at) filter (where kind = 'reply') as first_reply_at,
        count(*) filter (where kind = 'delivered') as deliveries,
        count(*) filter (where kind = 'open') as opens,
        count(*) filter (where kind = 'click') as clicks,
        count(*) filter (where kind = 'reply') as replies
    from counted
    group by message_id
),

reaction_fact as (
    select
        message_id,
        min(event_at) filter (where kind = 'open' and not is_machine) as first_human_open_at,
        count(*) filter (where kind = 'open' and not is_machine) as human_opens,
        count(*) filter (where kind = 'click' and is_machine) as suspected_bot_clicks
    from reaction
    group by message_id
),

first_bounce as (
    select distinct on (message_id collate "C") message_id, is_block
    from counted
    where kind = 'bounce'
    order by message_id collate "C", event_at, created_at, event_id collate "C"
),

with_sends as (
    select
        *,
        case when message.state <> 'sent' then event_fact.first_proof_at end as implied_sent_at,
        case
            when message.state = 'failed' and event_fact.first_proof_at is null
                then message.error_at
        end as failed_at
    from message
    left join event_fact using (message_id)
)

select
    with_sends.tenant_id,
    with_sends.message_id,
    with_sends.contact_id,
    with_sends.campaign_id,
    with_sends.channel,
    (
        coalesce(
            with_sends.sent_at, with_sends.implied_sent_at,
            least(with_sends.failed_at, with_sends.first_event_at)
        ) at time zone coalesce(zone_of_tenant.timezone, 'UTC')
    )::date as date,
    with_sends.sent_at,
    with_sends.implied_sent_at,
    with_sends.failed_at,
    with_sends.first_delivered_at,
    with_sends.first_open_at,
    reaction_fact.first_human_open_at,
    with_sends.first_click_at,
    with_sends.first_open_or_click_at,
    with_sends.first_bounce_at,
    with_sends.first_drop_at,
    with_sends.first_complaint_at,
    with_sends.first_unsubscribe_at,
    with_sends.first_reply_at,
    coalesce(with_sends.deliveries, 0) as deliveries,
    coalesce(with_sends.opens, 0) as opens,
    coalesce(reaction_fact.human_opens, 0) as human_opens,
    coalesce(with_sends.clicks, 0) as clicks,
    coalesce(reaction_fact.suspected_bot_clicks, 0) as suspected_bot_clicks,
    coalesce(with_sends.replies, 0) as replies,
    with_sends.provider_reports or with_sends.first_event_at is not null as is_trackable,
    first_bounce.is_block
from with_sends
left join reaction_fact using (message_id)
left join first_bounce using (message_id)
left join zone_of_tenant on with_sends.tenant_id = zone_of_tenant.tenant_id
where with_sends.sent_at is not null
    or with_sends.failed_at is not null
    or with_sends.first_event_at is not null;

analyze message_fact;
