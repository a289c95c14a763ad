{{ config(materialized='view') }}

-- Maturity depends on the clock, so it is worked out when somebody looks.
with cohorts as (
    select * from {{ ref('outreach_tenant_cohort') }}
),

tenants as (
    select * from {{ visible(ref('stg_outreach__tenants')) }}
)

select
    cohorts.*,
    cohorts.date + {{ outreach_maturity_days() }}
    < (now() at time zone coalesce(tenants.timezone, 'UTC'))::date as is_mature
from cohorts
left join tenants
    on cohorts.tenant_id = tenants.tenant_id
