{{ config(meta={'dagster': {'ref': {'name': 'metrics_campaign_daily'}}}) }}

-- Times more than a day ahead of their arrival are quarantined, and a tenant's clock is less than
-- a day ahead of UTC.
with campaign_daily as (
    {{ rows_to_test('outreach', ref('metrics_campaign_daily'), layers=['activity', 'transition']) }}
)

select
    tenant_id,
    campaign_id,
    date
from campaign_daily
where date > (now() at time zone 'UTC')::date + 2
