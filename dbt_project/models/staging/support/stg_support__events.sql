select
    *,
    {{ row_hash([
        'event_id', 'account_id', 'conversation_id', 'inbox_id', 'user_id', 'name', 'value',
        'value_in_business_hours', 'occurred_at'
    ]) }} as source_hash
from (
    select
        -- ids
        id as event_id,
        account_id::text as tenant_id,
        account_id,
        conversation_id,
        inbox_id,
        user_id,

        -- attributes
        name::text as name,
        value,
        value_in_business_hours,

        -- timestamps
        {{ to_utc('created_at') }} as occurred_at,
        -- as stored, so that an index of the source serves the comparison
        created_at as occurred_watermark,
        {{ to_utc('updated_at') }} as ingested_at,
        updated_at as ingest_watermark
    from {{ source('support', 'reporting_events') }}
    where {{ is_sound([
        "case when id is null then 'no_id' end",
        time_fault(to_utc('created_at'), to_utc('updated_at')),
        value_fault('value', 'value_in_business_hours')
    ]) }}
) as typed
