{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'contact_id', 'channel', 'hour'],
    scope_keys=['contact_id', 'channel', 'hour'],
    scope_layers=['activity'],
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with activities as (
    {{ outreach_activities_in_scope(['contact_id', 'channel', 'hour'], ['activity']) }}
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
)

select *
from counts
where {{ outreach_any_metric() }}
