with daily as (
    select * from {{ ref('support_daily') }}
    where dimension_type = 'inbox'
),

tenants as (
    select * from {{ visible(ref('stg_support__tenants')) }}
),

inboxes as (
    select * from {{ visible(ref('stg_support__inboxes')) }}
)

select
    daily.tenant_id,
    tenants.account_id,
    tenants.tenant_name,
    tenants.timezone,
    daily.dimension_id as inbox_id,
    inboxes.inbox_name,
    inboxes.channel_type,
    daily.date,
    {%- for number in support_daily_numbers() %}
    daily.{{ number }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from daily
left join tenants
    on daily.tenant_id = tenants.tenant_id
left join inboxes
    on
        daily.tenant_id = inboxes.tenant_id
        and daily.dimension_id = inboxes.inbox_id
