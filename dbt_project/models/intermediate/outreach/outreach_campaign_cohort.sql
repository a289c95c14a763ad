{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'campaign_id', 'date'],
    scope_keys=['campaign_id'],
    scope_layers=['message'],
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with messages as (
    {{ rows_in_scope('outreach', ref('metrics_message'), ['campaign_id'], ['message']) }}
)

select
    tenant_id,
    campaign_id,
    date,
    {%- for flag, counts in outreach_cohort_flags().items() %}
    count(*) filter (where {{ counts }}) as {{ flag }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from messages
group by tenant_id, campaign_id, date
having {{ outreach_any_cohort_flag() }}
