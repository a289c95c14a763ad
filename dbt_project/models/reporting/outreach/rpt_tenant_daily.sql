with daily as (
    select * from {{ ref('metrics_tenant_daily') }}
),

tenants as (
    select * from {{ visible(ref('stg_outreach__tenants')) }}
)

select
    daily.tenant_id,
    tenants.tenant_name,
    coalesce(tenants.timezone, 'UTC') as timezone,
    daily.date,
    {%- for metric in outreach_metrics() %}
    daily.{{ metric }},
    {%- endfor %}
    daily.opens - daily.machine_opens as human_opens,
    daily.clicks - daily.suspected_bot_clicks as human_clicks,
    {%- for name, parts in outreach_rates().items() %}
    {{ rate(*parts) }} as {{ name }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from daily
left join tenants
    on daily.tenant_id = tenants.tenant_id
