{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'date'],
    scope_keys=[],
    scope_layers=['message'],
    pre_hook="{{ enter_refresh('outreach') }}"
) }}

with campaign_cohorts as (
    {{ rows_in_scope('outreach', ref('outreach_campaign_cohort'), [], ['message']) }}
)

select
    tenant_id,
    date,
    {%- for flag in outreach_cohort_flags() %}
    sum({{ flag }})::bigint as {{ flag }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from campaign_cohorts
group by tenant_id, date
