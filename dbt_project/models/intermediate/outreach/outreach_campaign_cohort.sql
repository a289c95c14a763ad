{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'campaign_id', 'date'],
    scope_keys=['campaign_id'],
    scope_layers=[],
    changes='outreach_message_change',
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}
{%- set flags = outreach_cohort_flags() %}

with messages as (
    {{ rows_on_dates('outreach', ref('metrics_message')) }}
),

changes as (
    {{ new_changes('outreach', 'outreach_message_change') }}
),

changed as (
    select
        tenant_id,
        campaign_id,
        date,
        {{ sum_changes(flags) }}
    from changes
    group by tenant_id, campaign_id, date
),

updated as (
    {{ add_changes('changed', ['campaign_id'], 'changed', flags) }}
),

counts as (
    select
        tenant_id,
        campaign_id,
        date,
        {%- for flag, counts in flags.items() %}
        count(*) filter (where {{ counts }}) as {{ flag }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from messages
    group by tenant_id, campaign_id, date

    union all

    select
        tenant_id,
        campaign_id,
        date,
        {{ flags | join(', ') }}
    from updated
)

select *
from counts
where {{ outreach_any_cohort_flag() }}
