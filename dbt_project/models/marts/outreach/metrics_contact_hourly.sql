{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'contact_id', 'channel', 'hour'],
    scope_keys=['contact_id', 'channel', 'hour'],
    scope_layers=[],
    changes='outreach_activity_change',
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}
{%- set key = ['contact_id', 'channel', 'hour'] %}

with activities as (
    {{ outreach_activities_on_dates() }}
),

changes as (
    {{ new_changes('outreach', 'outreach_activity_change') }}
),

changed as (
    select
        tenant_id,
        contact_id,
        channel,
        hour,
        date,
        {{ sum_changes(outreach_metrics()) }}
    from changes
    group by tenant_id, contact_id, channel, hour, date
),

updated as (
    {{ add_changes('changed', key, 'changed', outreach_metrics()) }}
),

counts as (
    select
        tenant_id,
        contact_id,
        channel,
        hour,
        date,
        {{ outreach_metric_counts() }}
    from activities
    group by tenant_id, contact_id, channel, hour, date

    union all

    select
        tenant_id,
        contact_id,
        channel,
        hour,
        date,
        {{ outreach_metrics() | join(', ') }}
    from updated
)

select *
from counts
where {{ outreach_any_metric() }}
