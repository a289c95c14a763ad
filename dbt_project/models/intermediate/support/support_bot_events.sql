{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'dimension_type', 'event_id'],
    subject='conversation',
    subject_column='conversation_key',
    layer='bot',
    touched_columns=[],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[
        {'columns': ['tenant_id', 'date']},
        {'columns': ['tenant_id', 'conversation_key']},
        {'columns': ['tenant_id', 'dimension_type', 'dimension_id', 'occurred_at']}
    ]
) }}

-- Events of bots with their neighbours in the same conversation and dimension: what makes
-- "a handoff in the window wins" a sum, for any window.
with subjects as (
    {{ support_subjects() }}
),

registry as (
    select
        event_name,
        case raw_count_strategy
            when 'exclude_bot_handoffs' then 'resolution'
            when 'distinct_conversations' then 'handoff'
        end as kind
    from {{ ref('metric_registry') }}
),

events as (
    select
        ledger.*,
        subjects.account_id,
        registry.kind
    from subjects
    inner join {{ ref('support_event_ledger') }} as ledger
        on
            subjects.tenant_id = ledger.tenant_id
            and subjects.conversation_key = ledger.conversation_key
    inner join registry
        on
            ledger.event_name = registry.event_name
            and registry.kind is not null
),

by_dimension as (
    select
        events.*,
        dimensions.dimension_type,
        dimensions.dimension_id
    from events
    {{ by_dimension(
        account='events.account_id',
        agent='events.user_id',
        inbox='events.inbox_id',
        team='events.team_id'
    ) }}
    where dimensions.dimension_id is not null
),

with_neighbours as (
    select
        *,
        max(occurred_at) filter (where kind = 'resolution') over earlier as previous_resolution_at,
        max(occurred_at) filter (where kind = 'handoff') over earlier as previous_handoff_at,
        min(occurred_at) filter (where kind = 'handoff') over later as next_handoff_at
    from by_dimension
    window
        earlier as (
            partition by tenant_id, conversation_key, dimension_type, dimension_id
            order by occurred_at, event_id
            rows between unbounded preceding and 1 preceding
        ),
        later as (
            partition by tenant_id, conversation_key, dimension_type, dimension_id
            order by occurred_at, event_id
            rows between 1 following and unbounded following
        )
)

select
    tenant_id,
    account_id,
    conversation_key,
    dimension_type,
    dimension_id,
    event_id,
    kind,
    conversation_id,
    conversation_exists,
    coalesce(conversation_at, '-infinity') as conversation_at,
    coalesce(conversation_inbox_id, 0) as conversation_inbox_id,
    occurred_at,
    date,
    coalesce(previous_resolution_at, '-infinity') as previous_resolution_at,
    coalesce(previous_handoff_at, '-infinity') as previous_handoff_at,
    coalesce(next_handoff_at, 'infinity') as next_handoff_at
from with_neighbours
