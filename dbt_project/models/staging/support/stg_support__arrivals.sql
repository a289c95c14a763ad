-- Every row of every source table as it comes in, for change capture: whose it is, what it touches,
-- and what keeps it out of every ledger.
with tenants as (
    select * from {{ ref('stg_support__tenants') }}
),

registry as (
    select distinct event_name from {{ ref('metric_registry') }}
),

events as (
    select
        id,
        account_id,
        conversation_id,
        inbox_id,
        user_id,
        name,
        value,
        value_in_business_hours,
        created_at,
        updated_at
    from {{ source('support', 'reporting_events') }}
),

conversations as (
    select
        id,
        account_id,
        inbox_id,
        status,
        assignee_id,
        team_id,
        created_at,
        updated_at
    from {{ source('support', 'conversations') }}
),

messages as (
    select
        id,
        account_id,
        conversation_id,
        inbox_id,
        message_type,
        sender_type,
        sender_id,
        created_at,
        updated_at
    from {{ source('support', 'messages') }}
),

arrivals as (
    select
        'reporting_events' as source_table,
        events.id::text as row_id,
        events.account_id::text as tenant_id,
        coalesce(events.conversation_id::text, 'event/' || events.id) as subject_key,
        {{ to_utc('events.created_at') }} as occurred_at,
        {{ to_utc('events.updated_at') }} as ingested_at,
        events.updated_at as ingest_watermark,
        hashtextextended(events::text, 0) as content_hash,
        coalesce(
            case when events.id is null then 'no_id' end,
            {{ time_fault(to_utc('events.created_at'), to_utc('events.updated_at')) }},
            {{ value_fault('events.value', 'events.value_in_business_hours') }},
            {{ conversation_fault('events') }}
        ) as fault,
        registry.event_name is null as is_ignored
    from events
    left join registry
        on events.name = registry.event_name

    union all

    select
        'conversations' as source_table,
        id::text as row_id,
        account_id::text as tenant_id,
        id::text as subject_key,
        {{ to_utc('created_at') }} as occurred_at,
        {{ to_utc('updated_at') }} as ingested_at,
        updated_at as ingest_watermark,
        hashtextextended(conversations::text, 0) as content_hash,
        coalesce(
            case when id is null then 'no_id' end,
            {{ time_fault(to_utc('created_at'), to_utc('updated_at')) }}
        ) as fault,
        false as is_ignored
    from conversations

    union all

    select
        'messages' as source_table,
        messages.id::text as row_id,
        messages.account_id::text as tenant_id,
        coalesce(messages.conversation_id::text, 'message/' || messages.id) as subject_key,
        {{ to_utc('messages.created_at') }} as occurred_at,
        {{ to_utc('messages.updated_at') }} as ingested_at,
        messages.updated_at as ingest_watermark,
        hashtextextended(messages::text, 0) as content_hash,
        coalesce(
            case when messages.id is null then 'no_id' end,
            {{ time_fault(to_utc('messages.created_at'), to_utc('messages.updated_at')) }},
            {{ conversation_fault('messages') }}
        ) as fault,
        messages.message_type is null or messages.message_type not in (0, 1) as is_ignored
    from messages
)

select
    arrivals.source_table,
    arrivals.row_id,
    arrivals.tenant_id,
    arrivals.subject_key,
    arrivals.occurred_at,
    coalesce(arrivals.ingested_at, 'infinity') as ingested_at,
    arrivals.ingest_watermark,
    arrivals.content_hash,
    {{ arrival_fault() }} as fault,
    -- without a reporting zone an account has no rollups
    arrivals.is_ignored or tenants.timezone is null as is_ignored,
    coalesce(tenants.timezone, 'UTC') as timezone
from arrivals
left join tenants
    on arrivals.tenant_id = tenants.tenant_id
