select
    -- ids
    id as inbound_id,
    tenant_id,
    campaign_id,
    contact_id,

    -- attributes
    coalesce(channel::text, '__none__') as channel,

    -- timestamps
    {{ to_utc('received_at') }} as occurred_at,
    received_at as occurred_watermark,
    coalesce({{ to_utc('updated_at') }}, 'infinity') as ingested_at,
    updated_at as ingest_watermark,

    -- content
    {{ row_hash([
        'id', 'tenant_id', 'campaign_id', 'contact_id', 'channel::text', to_utc('received_at')
    ]) }} as source_hash
from (
    {{ optional_source('outreach', 'inbound_messages', {
        'id': 'text',
        'tenant_id': 'text',
        'campaign_id': 'text',
        'contact_id': 'text',
        'channel': 'text',
        'received_at': 'timestamp',
        'updated_at': 'timestamp'
    }) }}
) as inbound_messages
where {{ is_sound([key_fault(['id'], ['campaign_id', 'contact_id', 'channel::text'])]) }}
