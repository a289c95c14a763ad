select distinct on (tenants.id)
    tenants.id as tenant_id,
    tenants.name as tenant_name,
    coalesce(setting.timezone, 'UTC') as timezone,
    null::text as problem
from {{ source('outreach', 'tenants') }} as tenants
left join {{ source('ops', 'tenant_setting') }} as setting
    on
        setting.family = 'outreach'
        and tenants.id = setting.tenant_id
where tenants.id is not null
order by tenants.id, tenants.name
