{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'dimension_type', 'dimension_id', 'date'],
    scope_keys=[],
    scope_layers=['conversation', 'message'],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with tenants as (
    select * from {{ ref('stg_support__tenants') }}
),

conversations as (
    {{ rows_in_scope(
        'support', ref('support_conversation_ledger'), [], ['conversation', 'message']
    ) }}
),

messages as (
    {{ rows_in_scope('support', ref('support_message_ledger'), [], ['conversation', 'message']) }}
),

counted as (
    select
        conversations.tenant_id,
        conversations.date,
        dimensions.dimension_type,
        dimensions.dimension_id,
        1 as conversations_count,
        0 as incoming_messages_count,
        0 as outgoing_messages_count
    from conversations
    inner join tenants
        on conversations.tenant_id = tenants.tenant_id
    {{ by_dimension(
        account='tenants.account_id',
        agent='conversations.assignee_id',
        inbox='conversations.inbox_id',
        team='conversations.team_id'
    ) }}

    union all

    -- What an agent is counted for is what they sent themselves.
    select
        messages.tenant_id,
        messages.date,
        dimensions.dimension_type,
        dimensions.dimension_id,
        0 as conversations_count,
        case
            when dimensions.dimension_type <> 'agent' then messages.incoming_messages_count else 0
        end as incoming_messages_count,
        messages.outgoing_messages_count
    from messages
    inner join tenants
        on messages.tenant_id = tenants.tenant_id
    {{ by_dimension(
        account='tenants.account_id',
        agent='nullif(messages.sender_user_id, 0)',
        inbox='nullif(messages.inbox_id, 0)',
        team='messages.team_id'
    ) }}
),

counts as (
    select
        counted.tenant_id,
        tenants.account_id,
        counted.date,
        counted.dimension_type,
        counted.dimension_id,
        sum(counted.conversations_count)::bigint as conversations_count,
        sum(counted.incoming_messages_count)::bigint as incoming_messages_count,
        sum(counted.outgoing_messages_count)::bigint as outgoing_messages_count
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
    where counted.dimension_id is not null
    group by
        counted.tenant_id,
        tenants.account_id,
        counted.date,
        counted.dimension_type,
        counted.dimension_id
)

select *
from counts
where conversations_count + incoming_messages_count + outgoing_messages_count > 0
