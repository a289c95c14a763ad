select
    -- ids
    id as message_id,
    tenant_id,
    coalesce(campaign_id, '__none__') as campaign_id,
    coalesce(contact_id, '__none__') as contact_id,
    provider_message_id,

    -- attributes
    coalesce(channel::text, '__none__') as channel,
    state::text as state,

    -- timestamps
    {{ to_utc('sent_at') }} as sent_at,
    {{ to_utc('coalesce(error_at, updated_at)') }} as failed_at,
    coalesce({{ to_utc('updated_at') }}, 'infinity') as ingested_at,
    -- as stored, so that an index of the source serves the comparison
    updated_at as ingest_watermark,

    -- content
    {{ row_hash([
        'id', 'tenant_id', 'campaign_id', 'contact_id', 'provider_message_id',
        'channel::text', 'state::text', to_utc('sent_at'),
        "case when state::text = 'failed' then " ~ to_utc('coalesce(error_at, updated_at)') ~ " end"
    ]) }} as source_hash
from {{ source('outreach', 'outbound_messages') }}
where {{ is_sound([key_fault(['id'], ['campaign_id', 'contact_id', 'channel::text'])]) }}
