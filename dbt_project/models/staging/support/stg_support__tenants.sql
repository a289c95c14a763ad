with accounts as (
    select distinct on (id)
        id as account_id,
        id::text as tenant_id,
        name::text as tenant_name,
        nullif(ops.json_text(settings, 'reporting_timezone'), '') as timezone
    from {{ source('support', 'accounts') }}
    where id is not null
    order by id, name
),

setting as (
    select
        tenant_id,
        timezone
    from {{ source('ops', 'tenant_setting') }}
    where family = 'support'
),

zoned as (
    select
        accounts.tenant_id,
        accounts.account_id,
        accounts.tenant_name,
        coalesce(setting.timezone, accounts.timezone) as given_timezone
    from accounts
    left join setting
        on accounts.tenant_id = setting.tenant_id
)

select
    zoned.tenant_id,
    zoned.account_id,
    zoned.tenant_name,
    coalesce(current_zone.name, known_zone.name) as timezone,
    zoned.given_timezone,
    case
        when zoned.given_timezone is null
            then 'no reporting time zone'
        when known_zone.name is null and current_zone.name is null
            then 'unknown time zone ' || quote_literal(zoned.given_timezone)
    end as problem
from zoned
left join {{ ref('timezone_aliases') }} as aliases
    on zoned.given_timezone = aliases.alias
-- a name that only this server's time zone data lacks stays as it was given
left join {{ source('ops', 'timezone') }} as current_zone
    on aliases.timezone = current_zone.name
left join {{ source('ops', 'timezone') }} as known_zone
    on zoned.given_timezone = known_zone.name
