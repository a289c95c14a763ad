-- What could not be counted never comes into these ledgers: all they hold counts.
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
    date,
    'reporting_events' as source_table,
    'counted' as verdict,
    null::text as reason,
    count(*) as row_count
from events
group by tenant_id, date

union all

select
    tenant_id,
    date,
    'conversations' as source_table,
    'counted' as verdict,
    null as reason,
    count(*) as row_count
from conversations
group by tenant_id, date

union all

select
    tenant_id,
    date,
    'messages' as source_table,
    'counted' as verdict,
    null as reason,
    sum(incoming_messages_count + outgoing_messages_count)::bigint as row_count
from messages
group by tenant_id, date
