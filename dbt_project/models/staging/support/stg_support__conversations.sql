select
    -- ids
    id as conversation_id,
    account_id::text as tenant_id,
    account_id,
    inbox_id,
    assignee_id,
    team_id,

    -- attributes
    case status
        when 0 then 'open'
        when 1 then 'resolved'
        when 2 then 'pending'
        when 3 then 'snoozed'
    end as status,

    -- timestamps
    {{ to_utc('created_at') }} as occurred_at,
    created_at as occurred_watermark,
    {{ to_utc('updated_at') }} as ingested_at,
    updated_at as ingest_watermark,

    -- content
    {{ row_hash([
        'id', 'account_id', 'inbox_id', 'assignee_id', 'team_id', to_utc('created_at')
    ]) }} as source_hash
from {{ source('support', 'conversations') }}
where {{ is_sound([
    "case when id is null then 'no_id' end",
    time_fault(to_utc('created_at'), to_utc('updated_at'))
]) }}
