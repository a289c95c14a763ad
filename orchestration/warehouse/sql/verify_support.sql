-- Recounts the support rollups from the source tables, for verify_compare.sql to hold against the
-- marts.
--
-- Shares nothing with the dbt models but the registry of metrics and the names of time zones: it
-- reads the source, always whole history. Run it inside one transaction: every table it makes is
-- temporary and dropped on commit. source in braces is a schema; what to compare comes from the
-- session, as in verify_outreach.sql.

set local timezone = 'UTC';
set local search_path = pg_catalog, pg_temp;
set local work_mem = '128MB';
set local jit = off;

create temp table asked on commit drop as
select
    nullif(current_setting('rollups.verify_from', true), '')::date as date_from,
    nullif(current_setting('rollups.verify_to', true), '')::date as date_to,
    coalesce(
        (select config.value::date from ops.config where config.name = 'min_event_date'),
        date '2000-01-01'
    )::timestamp as first_instant;

create temp table asked_tenant on commit drop as
select distinct listed.tenant_id
from jsonb_array_elements_text(
    coalesce(nullif(current_setting('rollups.verify_tenants', true), ''), '[]')::jsonb
) as listed (tenant_id);

create temp table recounted_model on commit drop as
select listed.place, listed.model, listed.key
from (
    values
        (1, 'reporting_events_rollups', array['account_id', 'date', 'dimension_type', 'dimension_id', 'metric']),
        (2, 'conversations_daily', array['dimension_type', 'dimension_id', 'date'])
) as listed (place, model, key);

-- Accounts with a zone, by its current name ----------------------------------------------------

create temp table account_zone on commit drop as
select
    account.id as account_id,
    zone.name as timezone
from (select distinct on (id) * from {source}.accounts as listed order by id, name) as account
left join ops.tenant_setting as setting
    on setting.family = 'support' and setting.tenant_id = account.id::text
cross join lateral (
    select coalesce(setting.timezone, nullif(ops.json_text(account.settings, 'reporting_timezone'), '')) as name
) as given
inner join pg_timezone_names as zone
    on zone.name = coalesce(
        (
            select alias.timezone
            from staging.timezone_aliases as alias
            where alias.alias = given.name and alias.timezone in (select name from pg_timezone_names)
        ),
        given.name
    );

-- Rows that can be counted: of one id the first that came in, with a time that can be -----------

create temp table sound_conversation on commit drop as
select distinct on (conversation.account_id, conversation.id)
    conversation.id,
    conversation.account_id,
    conversation.created_at,
    conversation.assignee_id,
    conversation.inbox_id,
    conversation.team_id
from {source}.conversations as conversation
cross join asked
where conversation.id is not null
    and conversation.created_at >= asked.first_instant
    and conversation.updated_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
    and conversation.created_at <= least(conversation.updated_at, timestamp '9000-01-01') + interval '1 day'
order by conversation.account_id, conversation.id, conversation.updated_at, conversation.created_at;

create temp table owner on commit drop as
select id, array_agg(account_id) as accounts from sound_conversation group by id;

create temp table sound_event on commit drop as
select distinct on (event.account_id, event.id)
    event.account_id,
    event.name,
    event.conversation_id,
    event.value,
    event.value_in_business_hours,
    event.inbox_id,
    event.user_id,
    event.created_at
from {source}.reporting_events as event
cross join asked
left join owner on owner.id = event.conversation_id
where event.id is not null
    and event.created_at >= asked.first_instant
    and event.updated_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
    and event.created_at <= least(event.updated_at, timestamp '9000-01-01') + interval '1 day'
    and coalesce(abs(event.value), 0) <= 1e15
    and coalesce(abs(event.value_in_business_hours), 0) <= 1e15
    and coalesce(event.account_id = any(owner.accounts), true)
order by event.account_id, event.id, event.updated_at, event.created_at;

create temp table sound_message on commit drop as
select distinct on (message.account_id, message.id)
    message.account_id,
    message.conversation_id,
    message.message_type,
    message.sender_type,
    message.sender_id,
    message.inbox_id,
    message.created_at
from {source}.messages as message
cross join asked
left join owner on owner.id = message.conversation_id
where message.id is not null
    and message.created_at >= asked.first_instant
    and message.updated_at between '0002-01-01' and '9998-12-31 23:59:59.999999'
    and message.created_at <= least(message.updated_at, timestamp '9000-01-01') + interval '1 day'
    and coalesce(message.account_id = any(owner.accounts), true)
order by message.account_id, message.id, message.updated_at, message.created_at;

create index on sound_conversation (id);

-- Every event once per dimension ----------------------------------------------------------------

create temp table happening on commit drop as
select
    event.account_id,
    (event.created_at at time zone 'UTC' at time zone zone.timezone)::date as date,
    event.name,
    event.conversation_id,
    event.value::text::numeric as value,
    event.value_in_business_hours::text::numeric as business_value,
    event.inbox_id,
    event.user_id,
    (
        select conversation.team_id
        from sound_conversation as conversation
        where conversation.id = event.conversation_id and conversation.account_id = event.account_id
    ) as team_id
from sound_event as event
inner join account_zone as zone on zone.account_id = event.account_id;

create temp table reporting_events_rollups on commit drop as
with placed as (
    select 'account' as dimension_type, account_id::bigint as dimension_id, * from happening
    union all
    select 'agent', user_id::bigint, * from happening where user_id is not null
    union all
    select 'inbox', inbox_id::bigint, * from happening where inbox_id is not null
    union all
    select 'team', team_id::bigint, * from happening where team_id is not null
)

select
    placed.account_id,
    placed.date,
    placed.dimension_type,
    placed.dimension_id,
    rule.rollup_metric as metric,
    case
        when rule.raw_count_strategy = 'distinct_conversations' then count(distinct placed.conversation_id)
        else count(*)
    end as count,
    case when rule.payload = 'duration' then coalesce(sum(placed.value), 0) else 0 end as value_sum,
    case when rule.payload = 'duration' then coalesce(sum(placed.business_value), 0) else 0 end as business_hours_sum,
    case when rule.payload = 'duration' then count(placed.value) else 0 end as value_count,
    case when rule.payload = 'duration' then count(placed.business_value) else 0 end as business_hours_count,
    placed.account_id::text as tenant_id
from placed
inner join staging.metric_registry as rule on rule.event_name = placed.name
group by 1, 2, 3, 4, 5, rule.raw_count_strategy, rule.payload
having rule.raw_count_strategy <> 'distinct_conversations' or count(placed.conversation_id) > 0;

alter table reporting_events_rollups add column sum_value double precision;
alter table reporting_events_rollups add column sum_value_business_hours double precision;
update reporting_events_rollups
set sum_value = value_sum::double precision, sum_value_business_hours = business_hours_sum::double precision;

-- Conversations and messages ---------------------------------------------------------------------

create temp table conversations_daily on commit drop as
with created as (
    select
        conversation.account_id,
        (conversation.created_at at time zone 'UTC' at time zone zone.timezone)::date as date,
        conversation.assignee_id,
        conversation.inbox_id,
        conversation.team_id
    from sound_conversation as conversation
    inner join account_zone as zone on zone.account_id = conversation.account_id
),

written as (
    select
        message.account_id,
        (message.created_at at time zone 'UTC' at time zone zone.timezone)::date as date,
        message.message_type,
        case when message.sender_type = 'User' then message.sender_id end as user_id,
        message.inbox_id,
        conversation.team_id
    from sound_message as message
    inner join account_zone as zone on zone.account_id = message.account_id
    left join sound_conversation as conversation
        on conversation.id = message.conversation_id and conversation.account_id = message.account_id
    where message.message_type in (0, 1)
),

placed as (
    select account_id, date, 'account' as dimension_type, account_id::bigint as dimension_id, -1 as message_type from created
    union all
    select account_id, date, 'agent', assignee_id, -1 from created where assignee_id is not null
    union all
    select account_id, date, 'inbox', inbox_id, -1 from created where inbox_id is not null
    union all
    select account_id, date, 'team', team_id, -1 from created where team_id is not null
    union all
    select account_id, date, 'account', account_id, message_type from written
    union all
    select account_id, date, 'agent', user_id, message_type from written where user_id is not null and message_type = 1
    union all
    select account_id, date, 'inbox', inbox_id, message_type from written where inbox_id is not null
    union all
    select account_id, date, 'team', team_id, message_type from written where team_id is not null
)

select
    account_id::text as tenant_id,
    account_id,
    date,
    dimension_type,
    dimension_id,
    count(*) filter (where message_type = -1) as conversations_count,
    count(*) filter (where message_type = 0) as incoming_messages_count,
    count(*) filter (where message_type = 1) as outgoing_messages_count
from placed
group by account_id, date, dimension_type, dimension_id;
