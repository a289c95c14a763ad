{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'date'],
    scope_keys=[],
    scope_layers=[],
    changes='outreach_message_change',
    pre_hook="{{ enter_refresh('outreach') }}"
) }}
{%- set flags = outreach_cohort_flags() %}

with campaign_cohorts as (
    {{ rows_on_dates('outreach', ref('outreach_campaign_cohort')) }}
),

changes as (
    {{ new_changes('outreach', 'outreach_message_change') }}
),

changed as (
    select
        tenant_id,
        date,
        {{ sum_changes(flags) }}
    from changes
    group by tenant_id, date
),

updated as (
    {{ add_changes('changed', [], 'changed', flags) }}
),

counts as (
    select
        tenant_id,
        date,
        {%- for flag in flags %}
        sum({{ flag }})::bigint as {{ flag }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from campaign_cohorts
    group by tenant_id, date

    union all

    select
        tenant_id,
        date,
        {{ flags | join(', ') }}
    from updated
)

select *
from counts
where {{ outreach_any_cohort_flag() }}
