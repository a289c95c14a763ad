-- Every row of every source table as it comes in, for change capture: whose it is, what it touches,
-- and what keeps it out of every ledger.
with tenants as (
    select * from {{ ref('stg_outreach__tenants') }}
),

messages as (
    select * from {{ ref('stg_outreach__messages') }}
),

sent_messages as (
    select
        id,
        tenant_id,
        campaign_id,
        contact_id,
        provider_message_id,
        channel,
        state::text as state,
        sent_at,
        coalesce(error_at, updated_at) as failed_at,
        updated_at
    from {{ source('outreach', 'outbound_messages') }}
),

events as (
    select
        id,
        tenant_id,
        message_id,
        type,
        event_at,
        data,
        created_at,
        sg_event_id
    from {{ source('outreach', 'message_events') }}
),

transitions as (
    select
        id,
        tenant_id,
        campaign_id,
        from_status,
        to_status,
        reason,
        occurred_at,
        created_at
    from {{ source('outreach', 'campaign_transitions') }}
),

unsubscribes as (
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
),

inbound_messages as (
    {{ optional_source('outreach', 'inbound_messages', {
        'id': 'text',
        'tenant_id': 'text',
        'campaign_id': 'text',
        'contact_id': 'text',
        'channel': 'text',
        'received_at': 'timestamp',
        'updated_at': 'timestamp'
    }) }}
),

arrivals as (
    select
        'outbound_messages' as source_table,
        id as row_id,
        tenant_id,
        id as subject_key,
        case state
            when 'sent' then {{ to_utc('sent_at') }}
            when 'failed' then {{ to_utc('failed_at') }}
            else {{ to_utc('updated_at') }}
        end as occurred_at,
        {{ to_utc('updated_at') }} as ingested_at,
        updated_at as ingest_watermark,
        hashtextextended(sent_messages::text, 0) as content_hash,
        {{ key_fault(['id'], ['campaign_id', 'contact_id', 'channel::text']) }} as fault
    from sent_messages

    union all

    select
        'message_events' as source_table,
        events.id as row_id,
        case
            when messages.message_id is null then events.tenant_id else messages.tenant_id
        end as tenant_id,
        events.message_id as subject_key,
        {{ to_utc('events.event_at') }} as occurred_at,
        {{ to_utc('events.created_at') }} as ingested_at,
        events.created_at as ingest_watermark,
        -- with what it takes from its message
        hashtextextended(row(events.*, messages.*)::text, 0) as content_hash,
        coalesce(
            {{ key_fault(['events.id', 'events.message_id']) }},
            case when messages.message_id is null then 'no_message' end
        ) as fault
    from events
    {% if has_unique_id(source('outreach', 'outbound_messages')) -%}
    left join messages
        on events.message_id = messages.message_id
    {%- else -%}
    left join lateral (
        select *
        from messages
        where events.message_id = messages.message_id
        order by (events.tenant_id = messages.tenant_id) desc nulls last
        limit 1
    ) as messages on true
    {%- endif %}

    union all

    select
        'inbound_messages' as source_table,
        id as row_id,
        tenant_id,
        'inbound/' || id as subject_key,
        {{ to_utc('received_at') }} as occurred_at,
        {{ to_utc('updated_at') }} as ingested_at,
        updated_at as ingest_watermark,
        hashtextextended(inbound_messages::text, 0) as content_hash,
        {{ key_fault(['id'], ['campaign_id', 'contact_id', 'channel::text']) }} as fault
    from inbound_messages

    union all

    select
        'campaign_transitions' as source_table,
        id as row_id,
        tenant_id,
        campaign_id as subject_key,
        {{ to_utc('occurred_at') }} as occurred_at,
        {{ to_utc('created_at') }} as ingested_at,
        created_at as ingest_watermark,
        hashtextextended(transitions::text, 0) as content_hash,
        {{ key_fault(['id', 'campaign_id', 'to_status::text']) }} as fault
    from transitions

    union all

    select
        'contact_unsubscribes' as source_table,
        id as row_id,
        tenant_id,
        '' as subject_key,
        {{ to_utc('unsubscribed_at') }} as occurred_at,
        {{ to_utc('created_at') }} as ingested_at,
        created_at as ingest_watermark,
        hashtextextended(unsubscribes::text, 0) as content_hash,
        {{ key_fault(['id'], ['campaign_id', 'contact_id', 'channel::text']) }} as fault
    from unsubscribes
)

select
    arrivals.source_table,
    arrivals.row_id,
    arrivals.tenant_id,
    arrivals.subject_key,
    arrivals.occurred_at,
    coalesce(arrivals.ingested_at, 'infinity') as ingested_at,
    arrivals.ingest_watermark,
    arrivals.content_hash,
    {{ arrival_fault() }} as fault,
    -- its verdict, if it needs one, is in a ledger
    false as is_ignored,
    coalesce(tenants.timezone, 'UTC') as timezone
from arrivals
left join tenants
    on arrivals.tenant_id = tenants.tenant_id
