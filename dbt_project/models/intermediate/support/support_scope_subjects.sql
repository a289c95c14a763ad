{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ enter_refresh('support') }}",
    post_hook="analyze {{ this }}"
) }}

-- What this refresh recomputes: conversations that were claimed, and those with source rows on the
-- dates it replaces whole. An event without a conversation is a subject of its own.
with scope as (
    select
        scope.*,
        lower_inf(scope.dates) and upper_inf(scope.dates) as whole,
        tenants.account_id,
        tenants.timezone,
        -- bounds for the source's indexes: a local date lies within a day of the UTC one
        case when isfinite(scope.date_from) then scope.date_from - 1 else '-infinity'::date end
            as utc_from,
        case when isfinite(scope.date_to) then scope.date_to + 1 else 'infinity'::date end as utc_to
    from {{ source('ops', 'support_scope') }} as scope
    inner join {{ ref('stg_support__tenants') }} as tenants
        on scope.tenant_id = tenants.tenant_id
    where not isempty(scope.dates)
),

claims as (
    select
        tenant_id,
        key,
        true as whole
    from {{ source('ops', 'support_claim') }}
    where grain = 'conversation'
),

registry as (
    select distinct event_name from {{ ref('metric_registry') }}
),

events as (
    select
        scope.tenant_id,
        coalesce(events.conversation_id::text, 'event/' || events.event_id) as key,
        scope.whole
    from scope
    inner join {{ ref('stg_support__events') }} as events
        on
            scope.account_id = events.account_id
            and scope.utc_from <= events.occurred_watermark
            and scope.utc_to > events.occurred_watermark
    inner join registry
        on events.name = registry.event_name
    where scope.whole or scope.dates @> (events.occurred_at at time zone scope.timezone)::date
),

conversations as (
    select
        scope.tenant_id,
        conversations.conversation_id::text as key,
        scope.whole
    from scope
    inner join {{ ref('stg_support__conversations') }} as conversations
        on
            scope.account_id = conversations.account_id
            and scope.utc_from <= conversations.occurred_watermark
            and scope.utc_to > conversations.occurred_watermark
    where scope.whole
        or scope.dates @> (conversations.occurred_at at time zone scope.timezone)::date
),

messages as (
    select
        scope.tenant_id,
        coalesce(messages.conversation_id::text, 'message/' || messages.message_id) as key,
        scope.whole
    from scope
    inner join {{ ref('stg_support__messages') }} as messages
        on
            scope.account_id = messages.account_id
            and scope.utc_from <= messages.occurred_watermark
            and scope.utc_to > messages.occurred_watermark
    where
        messages.direction in ('incoming', 'outgoing')
        and (scope.whole or scope.dates @> (messages.occurred_at at time zone scope.timezone)::date)
),

subjects as (
    select * from claims
    union all
    select * from events
    union all
    select * from conversations
    union all
    select * from messages
)

select
    ops.current_refresh_id() as refresh_id,
    tenant_id,
    'conversation' as grain,
    key,
    bool_or(whole) as whole
from subjects
group by tenant_id, key
