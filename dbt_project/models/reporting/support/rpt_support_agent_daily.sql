with daily as (
    select * from {{ ref('support_daily') }}
    where dimension_type = 'agent'
),

tenants as (
    select * from {{ visible(ref('stg_support__tenants')) }}
),

agents as (
    select * from {{ visible(ref('stg_support__agents')) }}
)

select
    daily.tenant_id,
    tenants.account_id,
    tenants.tenant_name,
    tenants.timezone,
    daily.dimension_id as agent_id,
    agents.agent_name,
    daily.date,
    -- an agent is counted for what they sent
    {%- for number in support_daily_numbers() if number != 'incoming_messages_count' %}
    daily.{{ number }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from daily
left join tenants
    on daily.tenant_id = tenants.tenant_id
left join agents
    on
        daily.tenant_id = agents.tenant_id
        and daily.dimension_id = agents.user_id
