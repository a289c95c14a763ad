{{ config(meta={'dagster': {'ref': {'name': 'reporting_events_rollups'}}}) }}

-- What is counted for agents, inboxes or teams is part of what is counted for the account. Distinct
-- conversations of several entities may be more.
with rollups as (
    {{ rows_to_test('support', ref('reporting_events_rollups'), layers=['event']) }}
),

registry as (
    select * from {{ ref('metric_registry') }}
),

totals as (
    select
        rollups.tenant_id,
        rollups.date,
        rollups.metric,
        rollups.dimension_type,
        sum(rollups.count) as count,
        sum(rollups.value_sum) as value_sum
    from rollups
    inner join registry
        on
            rollups.metric = registry.rollup_metric
            and registry.raw_count_strategy <> 'distinct_conversations'
    group by rollups.tenant_id, rollups.date, rollups.metric, rollups.dimension_type
)

select parts.*
from totals as parts
left join totals as wholes
    on
        parts.tenant_id = wholes.tenant_id
        and parts.date = wholes.date
        and parts.metric = wholes.metric
        and wholes.dimension_type = 'account'
where wholes.tenant_id is null or parts.count > wholes.count
