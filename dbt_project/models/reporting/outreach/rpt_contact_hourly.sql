with hourly as (
    select * from {{ ref('metrics_contact_hourly') }}
),

tenants as (
    select * from {{ visible(ref('stg_outreach__tenants')) }}
),

leads as (
    select * from {{ visible(ref('stg_outreach__contact_leads')) }}
)

select
    hourly.tenant_id,
    tenants.tenant_name,
    coalesce(tenants.timezone, 'UTC') as timezone,
    hourly.contact_id,
    hourly.channel,
    hourly.hour,
    hourly.hour at time zone coalesce(tenants.timezone, 'UTC') as local_hour,
    hourly.date,
    {%- for metric in outreach_metrics() %}
    hourly.{{ metric }},
    {%- endfor %}
    hourly.opens - hourly.machine_opens as human_opens,
    hourly.clicks - hourly.suspected_bot_clicks as human_clicks,
    {%- for name, parts in outreach_rates().items() %}
    {{ rate(*parts) }} as {{ name }},
    {%- endfor %}
    leads.lead_id,
    leads.lead_name
from hourly
left join tenants
    on hourly.tenant_id = tenants.tenant_id
left join leads
    on
        hourly.tenant_id = leads.tenant_id
        and hourly.contact_id = leads.contact_id
