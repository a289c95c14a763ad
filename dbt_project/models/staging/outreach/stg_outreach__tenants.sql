select
    tenants.id as tenant_id,
    tenants.name as tenant_name,
    coalesce(setting.timezone, 'UTC') as timezone,
    null::text as problem
from {{ source('outreach', 'tenants') }} as tenants
left join {{ source('ops', 'tenant_setting') }} as setting
    on
        setting.family = 'outreach'
        and tenants.id = setting.tenant_id
