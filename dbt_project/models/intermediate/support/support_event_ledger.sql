{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'event_id'],
    subject='conversation',
    subject_column='conversation_key',
    layer='event',
    touched_columns=[],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[{'columns': ['tenant_id', 'date']}, {'columns': ['tenant_id', 'conversation_key']}]
) }}

with subjects as (
    {{ support_subjects() }}
),

registry as (
    {{ support_counted_events() }}
),

of_conversations as (
    select
        subjects.conversation_key,
        subjects.timezone,
        events.*
    from subjects
    inner join {{ ref('stg_support__events') }} as events
        on
            subjects.conversation_id = events.conversation_id
            and subjects.account_id = events.account_id
),

of_themselves as (
    select
        subjects.conversation_key,
        subjects.timezone,
        events.*
    from subjects
    inner join {{ ref('stg_support__events') }} as events
        on
            subjects.event_id = events.event_id
            and subjects.account_id = events.account_id
    where events.conversation_id is null
),

numbered as (
    select
        found.*,
        {{ number_copies(
            'support', 'reporting_events',
            ['found.account_id', 'found.event_id'],
            ['found.ingested_at', 'found.occurred_at', 'found.name', 'found.conversation_id']
        ) }} as row_copy
    from (
        select * from of_conversations
        union all
        select * from of_themselves
    ) as found
),

events as (
    select *
    from numbered
    where row_copy = 1
),

conversations as (
    {{ support_conversations() }}
)

select
    events.tenant_id,
    events.conversation_key,
    events.event_id::bigint as event_id,
    events.name as event_name,
    events.occurred_at,
    (events.occurred_at at time zone events.timezone)::date as date,
    events.conversation_id::bigint as conversation_id,
    conversations.conversation_id is not null as conversation_exists,
    conversations.occurred_at as conversation_at,
    conversations.inbox_id::bigint as conversation_inbox_id,
    events.inbox_id::bigint as inbox_id,
    events.user_id::bigint as user_id,
    conversations.team_id::bigint as team_id,
    events.value::text::numeric as value,
    events.value_in_business_hours::text::numeric as business_value,
    events.ingested_at,
    {{ support_row_hash('events', ['registry.rule_hash']) }} as source_hash
from events
inner join registry
    on events.name = registry.event_name
left join conversations
    on
        events.conversation_id = conversations.conversation_id
        and events.account_id = conversations.account_id
where
    conversations.conversation_id is not null
    or {{ conversation_fault('events') }} is null
