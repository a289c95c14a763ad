{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'date'],
    scope_keys=[],
    scope_layers=[],
    changes='outreach_activity_change',
    pre_hook="{{ enter_refresh('outreach') }}"
) }}

with campaign_days as (
    {{ rows_on_dates('outreach', ref('metrics_campaign_daily')) }}
),

changes as (
    {{ new_changes('outreach', 'outreach_activity_change') }}
),

changed as (
    select
        tenant_id,
        date,
        {{ sum_changes(outreach_metrics()) }}
    from changes
    group by tenant_id, date
),

updated as (
    {{ add_changes('changed', [], 'changed', outreach_metrics()) }}
),

totals as (
    select
        tenant_id,
        date,
        {%- for metric in outreach_metrics() %}
        sum({{ metric }})::bigint as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from campaign_days
    group by tenant_id, date

    union all

    select
        tenant_id,
        date,
        {{ outreach_metrics() | join(', ') }}
    from updated
)

select *
from totals
where {{ outreach_any_metric() }}
