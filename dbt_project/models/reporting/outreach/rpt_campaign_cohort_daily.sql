with cohorts as (
    select * from {{ ref('metrics_campaign_cohort_daily') }}
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
    cohorts.tenant_id,
    tenants.tenant_name,
    coalesce(tenants.timezone, 'UTC') as timezone,
    cohorts.campaign_id,
    campaigns.contact_id,
    campaigns.channel,
    campaigns.status as campaign_status,
    cohorts.date,
    {%- for flag in outreach_cohort_flags() %}
    cohorts.{{ flag }},
    {%- endfor %}
    {%- for name, parts in outreach_cohort_rates().items() %}
    {{ rate(*parts) }} as {{ name }},
    {%- endfor %}
    cohorts.is_mature,
    leads.lead_id,
    leads.lead_name
from cohorts
left join tenants
    on cohorts.tenant_id = tenants.tenant_id
left join campaigns
    on
        cohorts.tenant_id = campaigns.tenant_id
        and cohorts.campaign_id = campaigns.campaign_id
left join leads
    on
        campaigns.tenant_id = leads.tenant_id
        and campaigns.contact_id = leads.contact_id
