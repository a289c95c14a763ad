with events as (
    select * from {{ source('outreach', 'message_events') }}
),

event_type_map as (
    select * from {{ ref('event_type_map') }}
),

typed as (
    select
        -- ids
        events.id as event_id,
        events.tenant_id as event_tenant_id,
        events.message_id,
        -- an id made up at ingestion says nothing about copies
        case
            when events.sg_event_id not like 'generated\_%' then nullif(events.sg_event_id, '')
        end as provider_event_id,

        -- attributes
        event_type_map.canonical_type as kind,
        coalesce(lower(events.data ->> 'sg_machine_open') = 'true', false) as is_declared_machine,
        coalesce(events.data ->> 'url', '') as url,
        coalesce(events.data ->> 'ip', '') as ip,
        coalesce(events.data ->> 'useragent', '') as user_agent,
        coalesce(lower(events.data ->> 'type') in ('blocked', 'soft'), false) as is_block,

        -- timestamps
        {{ to_utc('events.event_at') }} as occurred_at,
        events.event_at as occurred_watermark,
        {{ to_utc('events.created_at') }} as ingested_at,
        events.created_at as ingest_watermark,

        lower(trim(events.type)) as raw_type
    from events
    left join event_type_map
        on lower(trim(events.type)) = event_type_map.raw_type
)

select
    *,
    {{ row_hash([
        'event_id', 'event_tenant_id', 'message_id', 'provider_event_id', 'kind',
        'is_declared_machine', 'url', 'ip', 'user_agent', 'is_block', 'occurred_at', 'ingested_at'
    ]) }} as source_hash
from typed
