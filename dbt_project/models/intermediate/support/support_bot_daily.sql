{{ config(
    materialized='incremental',
    unique_key=[
        'tenant_id', 'dimension_type', 'dimension_id', 'date', 'kind', 'conversation_exists',
        'conversation_date', 'conversation_inbox_id',
        'previous_resolution_date', 'previous_handoff_date', 'next_handoff_date'
    ],
    scope_keys=[],
    scope_layers=['bot'],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with bot_events as (
    {{ rows_in_scope('support', ref('support_bot_events'), [], ['bot']) }}
),

tenants as (
    select * from {{ ref('stg_support__tenants') }}
)

select
    bot_events.tenant_id,
    bot_events.account_id,
    bot_events.date,
    bot_events.dimension_type,
    bot_events.dimension_id,
    bot_events.kind,
    bot_events.conversation_exists,
    -- an infinite time stays one
    (bot_events.conversation_at at time zone tenants.timezone)::date as conversation_date,
    bot_events.conversation_inbox_id,
    (bot_events.previous_resolution_at at time zone tenants.timezone)::date
        as previous_resolution_date,
    (bot_events.previous_handoff_at at time zone tenants.timezone)::date as previous_handoff_date,
    (bot_events.next_handoff_at at time zone tenants.timezone)::date as next_handoff_date,
    count(*) as event_count
from bot_events
inner join tenants
    on bot_events.tenant_id = tenants.tenant_id
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
