with cohorts as (
    select * from {{ ref('metrics_tenant_cohort_daily') }}
),

tenants as (
    select * from {{ visible(ref('stg_outreach__tenants')) }}
)

select
    cohorts.tenant_id,
    tenants.tenant_name,
    coalesce(tenants.timezone, 'UTC') as timezone,
    cohorts.date,
    {%- for flag in outreach_cohort_flags() %}
    cohorts.{{ flag }},
    {%- endfor %}
    {%- for name, parts in outreach_cohort_rates().items() %}
    {{ rate(*parts) }} as {{ name }},
    {%- endfor %}
    cohorts.is_mature
from cohorts
left join tenants
    on cohorts.tenant_id = tenants.tenant_id
