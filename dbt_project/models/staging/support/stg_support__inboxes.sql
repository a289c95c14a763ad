with bots as (
    select inbox_id
    from {{ source('support', 'agent_bot_inboxes') }}
    where status = 0
),

hooks as (
    {{ optional_source('support', 'integrations_hooks', {
        'inbox_id': 'integer',
        'app_id': 'text',
        'status': 'integer'
    }) }}
)

select
    inboxes.id as inbox_id,
    inboxes.account_id::text as tenant_id,
    inboxes.account_id,
    inboxes.name::text as inbox_name,
    inboxes.channel_type::text as channel_type,
    exists (
        select 1
        from bots
        where inboxes.id = bots.inbox_id
    )
    or exists (
        select 1
        from hooks
        where inboxes.id = hooks.inbox_id and hooks.app_id = 'dialogflow' and hooks.status = 1
    ) as has_active_bot
from {{ source('support', 'inboxes') }} as inboxes
