{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'date'],
    scope_keys=[],
    scope_layers=['activity', 'transition'],
    pre_hook="{{ enter_refresh('outreach') }}"
) }}

with campaign_days as (
    {{ rows_in_scope('outreach', ref('metrics_campaign_daily'), [], ['activity', 'transition']) }}
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
)

select *
from totals
where {{ outreach_any_metric() }}
