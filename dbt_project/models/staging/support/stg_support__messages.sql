select
    -- ids
    id as message_id,
    account_id::text as tenant_id,
    account_id,
    conversation_id,
    inbox_id,
    sender_id,
    case when sender_type = 'User' then sender_id end as sender_user_id,

    -- attributes
    case message_type
        when 0 then 'incoming'
        when 1 then 'outgoing'
        when 2 then 'activity'
        when 3 then 'template'
    end as direction,
    private as is_private,
    sender_type::text as sender_type,

    -- timestamps
    {{ to_utc('created_at') }} as occurred_at,
    created_at as occurred_watermark,
    {{ to_utc('updated_at') }} as ingested_at,
    updated_at as ingest_watermark,

    -- content
    {{ row_hash([
        'id', 'account_id', 'conversation_id', 'inbox_id',
        "case when sender_type = 'User' then sender_id end", 'message_type', to_utc('created_at')
    ]) }} as source_hash
from {{ source('support', 'messages') }}
where {{ is_sound([
    "case when id is null then 'no_id' end",
    time_fault(to_utc('created_at'), to_utc('updated_at'))
]) }}
