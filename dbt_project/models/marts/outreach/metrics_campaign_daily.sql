{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'campaign_id', 'date'],
    scope_keys=['campaign_id'],
    scope_layers=['transition'],
    changes='outreach_activity_change',
    pre_hook=["{{ enter_refresh('outreach') }}", "{{ touch_later_days_of_campaigns() }}"],
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}
{%- set key = ['campaign_id'] %}
{%- set lifecycle = {
    'transitions': 'true', 'activated': "to_status = 'active'", 'paused': "to_status = 'paused'",
    'completed': "to_status = 'completed'", 'stopped': "to_status = 'stopped'",
    'errored': "to_status = 'error'"
} %}

with activities as (
    {{ outreach_activities_on_dates() }}
),

changes as (
    {{ new_changes('outreach', 'outreach_activity_change') }}
),

keys as (
    {{ keys_in_scope('outreach', key, ['transition'], 'outreach_activity_change') }}
),

transitions as (
    {{ rows_in_scope('outreach', ref('outreach_transition_ledger'), key, ['transition']) }}
),

changed as (
    select
        tenant_id,
        campaign_id,
        date,
        {{ sum_changes(outreach_metrics()) }}
    from changes
    group by tenant_id, campaign_id, date
),

updated as (
    {{ add_changes('keys', key, 'changed', outreach_metrics()) }}
),

counts as (
    select
        tenant_id,
        campaign_id,
        date,
        {{ outreach_metric_counts() }}
    from activities
    group by tenant_id, campaign_id, date

    union all

    select
        tenant_id,
        campaign_id,
        date,
        {{ outreach_metrics() | join(', ') }}
    from updated
),

touched as materialized (
    {{ keys_in_scope('outreach', key, ['transition']) }}
),

lifecycle as (
    select
        tenant_id,
        date,
        campaign_id,
        {%- for name, condition in lifecycle.items() %}
        count(*) filter (where {{ condition }}) as {{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from transitions
    where verdict = 'counted'
    group by tenant_id, campaign_id, date

    union all

    {{ stored_counts('changed', 'touched', key, lifecycle) }}
),

combined as (
    select
        tenant_id,
        campaign_id,
        date,
        {%- for metric in outreach_metrics() %}
        coalesce(counts.{{ metric }}, 0) as {{ metric }},
        {%- endfor %}
        {%- for name in lifecycle %}
        coalesce(lifecycle.{{ name }}, 0) as {{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from counts
    full join lifecycle using (tenant_id, campaign_id, date)
),

-- The last transition up to each day.
statuses as (
    select distinct on (combined.tenant_id, combined.campaign_id, combined.date)
        combined.tenant_id,
        combined.campaign_id,
        combined.date,
        ledger.to_status as status_at_close
    from combined
    inner join {{ ref('outreach_transition_ledger') }} as ledger
        on
            combined.tenant_id = ledger.tenant_id
            and combined.campaign_id = ledger.campaign_id
            and combined.date >= ledger.date
    where
        ledger.verdict = 'counted'
        -- the key of many campaigns has no status
        and combined.campaign_id <> '__erased__'
    -- "C" below is a collation, no column: RF02 is silenced.
    order by
        combined.tenant_id,
        combined.campaign_id,
        combined.date,
        ledger.occurred_at desc,
        ledger.ingested_at desc,
        ledger.transition_id collate "C" desc  -- noqa: RF02
)

select
    combined.*,
    statuses.status_at_close
from combined
left join statuses
    on
        combined.tenant_id = statuses.tenant_id
        and combined.campaign_id = statuses.campaign_id
        and combined.date = statuses.date
where {{ outreach_any_metric() }} or combined.transitions > 0
