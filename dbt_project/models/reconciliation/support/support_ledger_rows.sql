-- What the ledgers hold, in the shape of support_source_rows.
with events as (
    select * from {{ ref('support_event_ledger') }}
),

conversations as (
    select * from {{ ref('support_conversation_ledger') }}
),

messages as (
    select * from {{ ref('support_message_ledger') }}
)

select
    tenant_id,
    'reporting_events' as part,
    'conversation' as grain,
    conversation_key as key,
    occurred_at as filed_at,
    date,
    1::bigint as row_count,
    source_hash as row_hash,
    true as is_counted
from events

union all

select
    tenant_id,
    'conversations' as part,
    'conversation' as grain,
    conversation_key as key,
    occurred_at as filed_at,
    date,
    1::bigint as row_count,
    source_hash as row_hash,
    true as is_counted
from conversations

union all

select
    tenant_id,
    'messages' as part,
    'conversation' as grain,
    conversation_key as key,
    -- kept by day, the instants are not known
    null::timestamptz as filed_at,
    date,
    incoming_messages_count + outgoing_messages_count as row_count,
    source_hash as row_hash,
    true as is_counted
from messages
