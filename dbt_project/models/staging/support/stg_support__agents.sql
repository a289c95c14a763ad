select
    members.account_id::text as tenant_id,
    members.account_id,
    members.user_id,
    min(users.name)::text as agent_name
from {{ source('support', 'account_users') }} as members
inner join {{ source('support', 'users') }} as users
    on members.user_id = users.id
group by members.account_id, members.user_id
