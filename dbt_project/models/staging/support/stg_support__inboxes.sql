select
    inboxes.id as inbox_id,
    inboxes.account_id::text as tenant_id,
    inboxes.account_id,
    inboxes.name::text as inbox_name,
    inboxes.channel_type::text as channel_type,
    exists (
        select 1
        from {{ source('support', 'agent_bot_inboxes') }} as bots
        where inboxes.id = bots.inbox_id and bots.status = 0
    )
    or exists (
        select 1
        from (
            {{ optional_source('support', 'integrations_hooks', {
                'inbox_id': 'integer',
                'app_id': 'text',
                'status': 'integer'
            }) }}
        ) as hooks
        where inboxes.id = hooks.inbox_id and hooks.app_id = 'dialogflow' and hooks.status = 1
    ) as has_active_bot
from {{ source('support', 'inboxes') }} as inboxes
