{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'conversation_key', 'date', 'inbox_id', 'sender_user_id'],
    subject='conversation',
    subject_column='conversation_key',
    layer='message',
    touched_columns=[],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with subjects as (
    {{ support_subjects() }}
),

of_conversations as (
    select
        subjects.conversation_key,
        subjects.timezone,
        messages.*
    from subjects
    inner join {{ ref('stg_support__messages') }} as messages
        on
            subjects.conversation_id = messages.conversation_id
            and subjects.account_id = messages.account_id
),

of_themselves as (
    select
        subjects.conversation_key,
        subjects.timezone,
        messages.*
    from subjects
    inner join {{ ref('stg_support__messages') }} as messages
        on
            subjects.message_id = messages.message_id
            and subjects.account_id = messages.account_id
    where messages.conversation_id is null
),

numbered as (
    select
        found.*,
        {{ number_copies(
            'support', 'messages',
            ['found.account_id', 'found.message_id'],
            ['found.ingested_at', 'found.occurred_at', 'found.direction', 'found.conversation_id']
        ) }} as row_copy
    from (
        select * from of_conversations
        union all
        select * from of_themselves
    ) as found
),

messages as (
    select *
    from numbered
    where row_copy = 1
),

conversations as (
    {{ support_conversations() }}
)

-- 0 stands for none: no inbox, and no user who sent it.
select
    messages.tenant_id,
    messages.conversation_key,
    (messages.occurred_at at time zone messages.timezone)::date as date,
    coalesce(messages.inbox_id, 0)::bigint as inbox_id,
    coalesce(messages.sender_user_id, 0)::bigint as sender_user_id,
    conversations.team_id::bigint as team_id,
    conversations.inbox_id::bigint as conversation_inbox_id,
    (conversations.occurred_at at time zone messages.timezone)::date as conversation_date,
    count(*) filter (where messages.direction = 'incoming') as incoming_messages_count,
    count(*) filter (where messages.direction = 'outgoing') as outgoing_messages_count,
    bit_xor({{ support_row_hash('messages') }}) as source_hash
from messages
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
group by
    messages.tenant_id,
    messages.conversation_key,
    (messages.occurred_at at time zone messages.timezone)::date,
    coalesce(messages.inbox_id, 0),
    coalesce(messages.sender_user_id, 0),
    conversations.team_id,
    conversations.inbox_id,
    (conversations.occurred_at at time zone messages.timezone)::date
