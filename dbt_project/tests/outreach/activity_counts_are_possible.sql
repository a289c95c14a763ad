{{ config(meta={'dagster': {'ref': {'name': 'metrics_campaign_daily'}}}) }}

-- No part is greater than its whole. What holds for every hour and every campaign's day holds for
-- their sums.
with hourly as (
    {{ rows_to_test(
        'outreach', ref('metrics_contact_hourly'), ['contact_id', 'channel', 'hour'],
        changes='outreach_activity_change'
    ) }}
),

campaign_daily as (
    {{ rows_to_test(
        'outreach', ref('metrics_campaign_daily'), ['campaign_id'],
        changes='outreach_activity_change'
    ) }}
),

counts as (
    {%- for rollup in ['hourly', 'campaign_daily'] %}
    select
        tenant_id,
        date,
        '{{ rollup }}' as rollup,
        {%- for metric in outreach_metrics() %}
        {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ rollup }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select *
from counts
where
    least({{ outreach_metrics() | join(', ') }}) < 0
    or unique_opens > opens
    or unique_clicks > clicks
    or machine_opens > opens
    or unique_human_opens > opens - machine_opens
    or suspected_bot_clicks > clicks
    or unique_opens_or_clicks > unique_opens + unique_clicks
    or hard_bounces + blocks <> bounces
    or trackable_sends > sends
    or suspected_bot_optouts > optouts
