with daily as (
    select * from {{ ref('support_daily') }}
    where dimension_type = 'account'
),

tenants as (
    select * from {{ visible(ref('stg_support__tenants')) }}
)

select
    daily.tenant_id,
    tenants.account_id,
    tenants.tenant_name,
    tenants.timezone,
    daily.date,
    {%- for number in support_daily_numbers() %}
    daily.{{ number }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from daily
left join tenants
    on daily.tenant_id = tenants.tenant_id
