-- No WITH here: what is joined with such a view could be found by no index of the source.
select
    *,
    {{ row_hash([
        'event_id', 'event_tenant_id', 'message_id', 'provider_event_id', 'kind',
        'is_declared_machine', 'url', 'ip', 'user_agent', 'is_block', 'is_readable', 'occurred_at', 'ingested_at'
    ]) }} as source_hash
from (
    select
        -- ids
        events.id as event_id,
        events.tenant_id as event_tenant_id,
        events.message_id,
        -- an id made up at ingestion, or one without end, says nothing about copies
        case
            when
                octet_length(events.sg_event_id) <= 500
                and events.sg_event_id not like 'generated\_%'
                then nullif(events.sg_event_id, '')
        end as provider_event_id,
        -- as stored, so that an index of the source finds copies
        events.sg_event_id as provider_event_key,

        -- attributes
        event_type_map.canonical_type as kind,
        coalesce(lower(ops.json_text(events.data, 'sg_machine_open')) = 'true', false)
            as is_declared_machine,
        coalesce(ops.json_text(events.data, 'url'), '') as url,
        coalesce(ops.json_text(events.data, 'ip'), '') as ip,
        coalesce(ops.json_text(events.data, 'useragent'), '') as user_agent,
        coalesce(lower(ops.json_text(events.data, 'type')) in ('blocked', 'soft'), false)
            as is_block,
        ops.is_readable_json(events.data) as is_readable,

        -- timestamps
        {{ to_utc('events.event_at') }} as occurred_at,
        events.event_at as occurred_watermark,
        coalesce({{ to_utc('events.created_at') }}, 'infinity') as ingested_at,
        events.created_at as ingest_watermark,

        -- no type is that long, and lower-casing a megabyte takes a while for every row it meets
        lower(trim(left(events.type, 200))) as raw_type
    from {{ source('outreach', 'message_events') }} as events
    left join {{ ref('event_type_map') }} as event_type_map
        on lower(trim(left(events.type, 200))) = event_type_map.raw_type
    where {{ is_sound([key_fault(['events.id', 'events.message_id'])]) }}
) as typed
