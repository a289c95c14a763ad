-- What the ledgers should hold, worked out from the source of today: every row under its
-- conversation and date, with the hash of its content.
with tenants as (
    -- without a reporting zone there are no rollups
    select * from {{ ref('stg_support__tenants') }}
    where timezone is not null
),

conversations as (
    select * from {{ ref('stg_support__conversations') }}
),

registry as (
    {{ support_counted_events() }}
),

rows_of_parts as (
    select
        events.tenant_id,
        'reporting_events' as part,
        coalesce(events.conversation_id::text, 'event/' || events.event_id) as key,
        events.occurred_at as filed_at,
        {{ support_row_hash('events', ['registry.rule_hash']) }} as row_hash
    from {{ ref('stg_support__events') }} as events
    inner join registry
        on events.name = registry.event_name
    left join conversations
        on
            events.conversation_id = conversations.conversation_id
            and events.account_id = conversations.account_id
    where
        conversations.conversation_id is not null
        or {{ conversation_fault('events') }} is null

    union all

    select
        tenant_id,
        'conversations' as part,
        conversation_id::text as key,
        occurred_at as filed_at,
        source_hash as row_hash
    from conversations

    union all

    select
        messages.tenant_id,
        'messages' as part,
        coalesce(messages.conversation_id::text, 'message/' || messages.message_id) as key,
        messages.occurred_at as filed_at,
        {{ support_row_hash('messages') }} as row_hash
    from {{ ref('stg_support__messages') }} as messages
    left join conversations
        on
            messages.conversation_id = conversations.conversation_id
            and messages.account_id = conversations.account_id
    where
        messages.direction in ('incoming', 'outgoing')
        and (
            conversations.conversation_id is not null
            or {{ conversation_fault('messages') }} is null
        )
)

select
    rows_of_parts.tenant_id,
    rows_of_parts.part,
    'conversation' as grain,
    rows_of_parts.key,
    rows_of_parts.filed_at,
    (rows_of_parts.filed_at at time zone tenants.timezone)::date as date,
    1::bigint as row_count,
    rows_of_parts.row_hash
from rows_of_parts
inner join tenants
    on rows_of_parts.tenant_id = tenants.tenant_id
