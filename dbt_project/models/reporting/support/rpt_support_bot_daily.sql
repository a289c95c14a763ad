with conversations as (
    select
        tenant_id,
        dimension_id as inbox_id,
        date,
        conversations_count
    from {{ ref('conversations_daily') }}
    where dimension_type = 'inbox' and conversations_count > 0
),

-- A conversation's first handoff, and its first resolution where no handoff is ever known: each
-- conversation once, so that days add up.
outcomes as (
    select
        tenant_id,
        conversation_inbox_id as inbox_id,
        conversation_date as date,
        coalesce(
            sum(event_count) filter (
                where
                kind = 'resolution'
                and previous_resolution_date = '-infinity'
                and previous_handoff_date = '-infinity'
                and next_handoff_date = 'infinity'
            ),
            0
        )::bigint as bot_resolved_count,
        coalesce(
            sum(event_count) filter (
                where kind = 'handoff' and previous_handoff_date = '-infinity'
            ),
            0
        )::bigint as bot_handed_off_count
    from {{ ref('support_bot_daily') }}
    where dimension_type = 'account' and conversation_exists
    group by tenant_id, conversation_inbox_id, conversation_date
),

tenants as (
    select * from {{ visible(ref('stg_support__tenants')) }}
),

inboxes as (
    select * from {{ visible(ref('stg_support__inboxes')) }}
)

select
    conversations.tenant_id,
    tenants.account_id,
    tenants.tenant_name,
    tenants.timezone,
    conversations.inbox_id,
    inboxes.inbox_name,
    inboxes.channel_type,
    conversations.date,
    conversations.conversations_count,
    coalesce(outcomes.bot_resolved_count, 0) as bot_resolved_count,
    coalesce(outcomes.bot_handed_off_count, 0) as bot_handed_off_count,
    {{ rate('coalesce(outcomes.bot_resolved_count, 0)', 'conversations.conversations_count') }}
        as bot_resolution_rate,
    {{ rate('coalesce(outcomes.bot_handed_off_count, 0)', 'conversations.conversations_count') }}
        as bot_handoff_rate
from conversations
inner join inboxes
    on
        conversations.tenant_id = inboxes.tenant_id
        and conversations.inbox_id = inboxes.inbox_id
        and inboxes.has_active_bot
left join tenants
    on conversations.tenant_id = tenants.tenant_id
left join outcomes
    on
        conversations.tenant_id = outcomes.tenant_id
        and conversations.inbox_id = outcomes.inbox_id
        and conversations.date = outcomes.date
