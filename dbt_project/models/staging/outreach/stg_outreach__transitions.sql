select
    -- ids
    id as transition_id,
    tenant_id,
    campaign_id,

    -- attributes
    from_status::text as from_status,
    to_status::text as to_status,
    reason,

    -- timestamps
    {{ to_utc('occurred_at') }} as occurred_at,
    coalesce({{ to_utc('created_at') }}, 'infinity') as ingested_at,
    created_at as ingest_watermark,

    -- content
    {{ row_hash([
        'id', 'tenant_id', 'campaign_id', 'from_status::text', 'to_status::text', 'reason',
        to_utc('occurred_at'), to_utc('created_at')
    ]) }} as source_hash
from {{ source('outreach', 'campaign_transitions') }}
where {{ is_sound([key_fault(['id', 'campaign_id', 'to_status::text'])]) }}
