select
    -- ids
    id as unsubscribe_id,
    tenant_id,
    campaign_id,
    contact_id,

    -- attributes
    coalesce(channel::text, '__none__') as channel,
    coalesce(lower(trim(channel_value)), '') as address,

    -- timestamps
    {{ to_utc('unsubscribed_at') }} as occurred_at,
    coalesce({{ to_utc('created_at') }}, 'infinity') as ingested_at,
    created_at as ingest_watermark
from (
    {{ optional_source('outreach', 'contact_unsubscribes', {
        'id': 'text',
        'tenant_id': 'text',
        'channel': 'text',
        'channel_value': 'text',
        'campaign_id': 'text',
        'contact_id': 'text',
        'unsubscribed_at': 'timestamp',
        'created_at': 'timestamp'
    }) }}
) as unsubscribes
where {{ is_sound([key_fault(['id'], ['campaign_id', 'contact_id', 'channel::text'])]) }}
