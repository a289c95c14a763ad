select
    id as team_id,
    account_id::text as tenant_id,
    account_id,
    name::text as team_name
from {{ source('support', 'teams') }}
