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
{%- set metrics = outreach_metrics() | list %}
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
        {{ metrics | join(', ') }}
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
        count(*) filter (where {{ condition }}) as {{ name }},
        {%- endfor %}
        null::text as status_at_close,
        false as is_stored
    from transitions
    where verdict = 'counted'
    group by tenant_id, campaign_id, date

    union all

    -- where only activities have changed, what transitions made of the day is as it was
    {{ stored_values('changed', 'touched', key, (lifecycle | list) + ['status_at_close']) }}
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
        coalesce(lifecycle.{{ name }}, 0) as {{ name }},
        {%- endfor %}
        lifecycle.status_at_close as stored_status,
        -- the key of many campaigns has no status
        coalesce(not lifecycle.is_stored, true) and campaign_id <> '__erased__' as asks_for_status
    from counts
    full join lifecycle using (tenant_id, campaign_id, date)
),

asking_campaigns as (
    select distinct
        tenant_id,
        campaign_id
    from combined
    where asks_for_status
),

-- Days, and before each the transitions of that day: one sort of both, for a join of days with all
-- transitions before them has many times their rows.
moments as (
    select
        tenant_id,
        campaign_id,
        date,
        {%- for name in metrics + (lifecycle | list) %}
        {{ name }},
        {%- endfor %}
        stored_status,
        asks_for_status,
        true as is_day,
        null as occurred_at,
        null as ingested_at,
        null as transition_id,
        null as to_status
    from combined

    union all

    select
        ledger.tenant_id,
        ledger.campaign_id,
        ledger.date,
        {%- for name in metrics + (lifecycle | list) %}
        null as {{ name }},
        {%- endfor %}
        null as stored_status,
        false as asks_for_status,
        false as is_day,
        ledger.occurred_at,
        ledger.ingested_at,
        ledger.transition_id,
        ledger.to_status
    from asking_campaigns
    inner join {{ ref('outreach_transition_ledger') }} as ledger
        on
            asking_campaigns.tenant_id = ledger.tenant_id
            and asking_campaigns.campaign_id = ledger.campaign_id
    where ledger.verdict = 'counted'
),

-- A spell begins with a transition and lasts until the next one.
spells as (
    select
        *,
        count(transition_id) over (
            partition by tenant_id, campaign_id
            order by date, is_day, occurred_at, ingested_at, transition_id collate "C"
        ) as spell
    from moments
),

closed as (
    select
        *,
        max(to_status) over (partition by tenant_id, campaign_id, spell) as status_of_spell
    from spells
)

select
    tenant_id,
    campaign_id,
    date,
    {%- for name in metrics + (lifecycle | list) %}
    {{ name }},
    {%- endfor %}
    case when asks_for_status then status_of_spell else stored_status end as status_at_close
from closed
where is_day and ({{ outreach_any_metric() }} or transitions > 0)
