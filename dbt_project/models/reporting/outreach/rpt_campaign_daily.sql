with daily as (
    select * from {{ ref('metrics_campaign_daily') }}
),

tenants as (
    select * from {{ visible(ref('stg_outreach__tenants')) }}
),

campaigns as (
    select * from {{ visible(ref('stg_outreach__campaigns')) }}
),

leads as (
    select * from {{ visible(ref('stg_outreach__contact_leads')) }}
)

select
    daily.tenant_id,
    tenants.tenant_name,
    coalesce(tenants.timezone, 'UTC') as timezone,
    daily.campaign_id,
    campaigns.contact_id,
    campaigns.channel,
    campaigns.status as campaign_status,
    daily.date,
    {%- for metric in outreach_metrics() %}
    daily.{{ metric }},
    {%- endfor %}
    daily.transitions,
    daily.activated,
    daily.paused,
    daily.completed,
    daily.stopped,
    daily.errored,
    daily.status_at_close,
    daily.opens - daily.machine_opens as human_opens,
    daily.clicks - daily.suspected_bot_clicks as human_clicks,
    {%- for name, parts in outreach_rates().items() %}
    {{ rate(*parts) }} as {{ name }},
    {%- endfor %}
    leads.lead_id,
    leads.lead_name
from daily
left join tenants
    on daily.tenant_id = tenants.tenant_id
left join campaigns
    on
        daily.tenant_id = campaigns.tenant_id
        and daily.campaign_id = campaigns.campaign_id
left join leads
    on
        campaigns.tenant_id = leads.tenant_id
        and campaigns.contact_id = leads.contact_id
