{{ config(schema='intermediate', meta={'security_invoker': true}) }}

-- Long first and summed last, so that a filter on tenant, dimension or date reaches the tables.
with parts as (
    select
        tenant_id,
        dimension_type,
        dimension_id,
        date,
        conversations_count,
        incoming_messages_count,
        outgoing_messages_count,
        null::text as metric,
        null::bigint as count,
        null::numeric as value_sum,
        null::bigint as value_count,
        null::numeric as business_hours_sum,
        null::bigint as business_hours_count,
        null::bigint as bot_resolutions_count,
        null::bigint as bot_handoffs_count
    from {{ ref('conversations_daily') }}

    union all

    select
        tenant_id,
        dimension_type,
        dimension_id,
        date,
        null as conversations_count,
        null as incoming_messages_count,
        null as outgoing_messages_count,
        metric,
        count,
        value_sum,
        value_count,
        business_hours_sum,
        business_hours_count,
        null as bot_resolutions_count,
        null as bot_handoffs_count
    from {{ ref('reporting_events_rollups') }}

    union all

    -- A handoff wins within the day; one on another day excludes nothing.
    select
        tenant_id,
        dimension_type,
        dimension_id,
        date,
        null as conversations_count,
        null as incoming_messages_count,
        null as outgoing_messages_count,
        null as metric,
        null as count,
        null as value_sum,
        null as value_count,
        null as business_hours_sum,
        null as business_hours_count,
        case
            when kind = 'resolution' and previous_handoff_date < date and next_handoff_date > date
                then event_count
        end as bot_resolutions_count,
        case
            when kind = 'handoff' and conversation_exists and previous_handoff_date < date
                then event_count
        end as bot_handoffs_count
    from {{ ref('support_bot_daily') }}
),

sums as (
    select
        tenant_id,
        dimension_type,
        dimension_id,
        date,
        coalesce(sum(conversations_count), 0)::bigint as conversations_count,
        coalesce(sum(incoming_messages_count), 0)::bigint as incoming_messages_count,
        coalesce(sum(outgoing_messages_count), 0)::bigint as outgoing_messages_count,
        coalesce(sum(count) filter (where metric = 'first_response'), 0)::bigint
            as first_responses_count,
        coalesce(sum(count) filter (where metric = 'reply_time'), 0)::bigint as replies_count,
        coalesce(sum(count) filter (where metric = 'resolutions_count'), 0)::bigint
            as resolutions_count,
        {%- for duration, metric in support_durations().items() %}
        coalesce(sum(value_sum) filter (where metric = '{{ metric }}'), 0) as {{ duration }}_sum,
        coalesce(sum(value_count) filter (where metric = '{{ metric }}'), 0)::bigint
            as {{ duration }}_count,
        coalesce(sum(business_hours_sum) filter (where metric = '{{ metric }}'), 0)
            as {{ duration }}_business_hours_sum,
        coalesce(sum(business_hours_count) filter (where metric = '{{ metric }}'), 0)::bigint
            as {{ duration }}_business_hours_count,
        {%- endfor %}
        coalesce(sum(bot_resolutions_count), 0)::bigint as bot_resolutions_count,
        coalesce(sum(bot_handoffs_count), 0)::bigint as bot_handoffs_count
    from parts
    group by tenant_id, dimension_type, dimension_id, date
),

averages as (
    select
        *,
        {{ mean('first_response_time') }} as avg_first_response_time,
        {{ mean('first_response_time_business_hours') }} as avg_first_response_time_business_hours,
        {{ mean('resolution_time') }} as avg_resolution_time,
        {{ mean('resolution_time_business_hours') }} as avg_resolution_time_business_hours,
        {{ mean('reply_time') }} as avg_reply_time,
        {{ mean('reply_time_business_hours') }} as avg_reply_time_business_hours
    from sums
)

select
    tenant_id,
    dimension_type,
    dimension_id,
    date,
    {%- for number in support_daily_numbers() %}
    {{ number }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from averages
