{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'inbox_id', 'date', 'conversation_date'],
    scope_keys=[],
    scope_layers=['message'],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with messages as (
    {{ rows_in_scope('support', ref('support_message_ledger'), [], ['message']) }}
)

select
    tenant_id,
    conversation_inbox_id as inbox_id,
    date,
    conversation_date,
    sum(outgoing_messages_count)::bigint as outgoing_messages_count
from messages
where conversation_date is not null and outgoing_messages_count > 0
group by tenant_id, conversation_inbox_id, date, conversation_date
