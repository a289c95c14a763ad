with daily as (
    select * from {{ ref('support_daily') }}
    where dimension_type = 'team'
),

tenants as (
    select * from {{ visible(ref('stg_support__tenants')) }}
),

teams as (
    select * from {{ visible(ref('stg_support__teams')) }}
)

select
    daily.tenant_id,
    tenants.account_id,
    tenants.tenant_name,
    tenants.timezone,
    daily.dimension_id as team_id,
    teams.team_name,
    daily.date,
    {%- for number in support_daily_numbers() %}
    daily.{{ number }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from daily
left join tenants
    on daily.tenant_id = tenants.tenant_id
left join teams
    on
        daily.tenant_id = teams.tenant_id
        and daily.dimension_id = teams.team_id
