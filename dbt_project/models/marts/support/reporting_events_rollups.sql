{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'account_id', 'date', 'dimension_type', 'dimension_id', 'metric'],
    scope_keys=[],
    scope_layers=['event'],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[
        {'columns': ['tenant_id', 'date']},
        {'columns': ['tenant_id', 'dimension_type', 'metric', 'dimension_id', 'date']}
    ]
) }}

with events as (
    {{ rows_in_scope('support', ref('support_event_ledger'), [], ['event']) }}
),

registry as (
    select * from {{ ref('metric_registry') }}
),

tenants as (
    select * from {{ ref('stg_support__tenants') }}
),

by_dimension as (
    select
        events.*,
        tenants.account_id,
        dimensions.dimension_type,
        dimensions.dimension_id
    from events
    inner join tenants
        on events.tenant_id = tenants.tenant_id
    {{ by_dimension(
        account='tenants.account_id',
        agent='events.user_id',
        inbox='events.inbox_id',
        team='events.team_id'
    ) }}
    where dimensions.dimension_id is not null
),

counts as (
    select
        by_dimension.tenant_id,
        by_dimension.account_id,
        by_dimension.date,
        by_dimension.dimension_type,
        by_dimension.dimension_id,
        registry.rollup_metric as metric,
        case registry.raw_count_strategy
            when 'distinct_conversations' then count(distinct by_dimension.conversation_id)
            else count(*)
        end as count,
        count(by_dimension.value) filter (where registry.payload = 'duration') as value_count,
        count(by_dimension.business_value) filter (where registry.payload = 'duration')
            as business_hours_count,
        coalesce(sum(by_dimension.value) filter (where registry.payload = 'duration'), 0)
            as value_sum,
        coalesce(
            sum(by_dimension.business_value) filter (where registry.payload = 'duration'), 0
        ) as business_hours_sum
    from by_dimension
    inner join registry
        on by_dimension.event_name = registry.event_name
    group by
        by_dimension.tenant_id,
        by_dimension.account_id,
        by_dimension.date,
        by_dimension.dimension_type,
        by_dimension.dimension_id,
        registry.rollup_metric,
        registry.raw_count_strategy
)

select
    account_id,
    date,
    dimension_type,
    dimension_id,
    metric,
    count,
    value_sum::double precision as sum_value,
    business_hours_sum::double precision as sum_value_business_hours,
    value_count,
    business_hours_count,
    value_sum,
    business_hours_sum,
    tenant_id
from counts
where count > 0
