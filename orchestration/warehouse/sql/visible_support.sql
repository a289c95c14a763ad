-- Rows of the support source with their conversations. Joined in here: a condition on a private
-- view goes down into it, a join with one does not.

create or replace view visible.support_events with (security_barrier = true) as
select
    events.event_id,
    events.account_id,
    events.conversation_id,
    events.inbox_id,
    events.user_id,
    events.name,
    events.value,
    events.value_in_business_hours,
    events.occurred_at,
    events.occurred_watermark,
    conversations.team_id,
    conversations.inbox_id as conversation_inbox_id,
    conversations.occurred_watermark as conversation_watermark,
    conversations.conversation_id is not null as has_conversation
from staging.stg_support__events as events
left join staging.stg_support__conversations as conversations
    on
        events.conversation_id = conversations.conversation_id
        and events.account_id = conversations.account_id
where
    (select visible.sees_all_tenants())
    or events.tenant_id = any (array(
        select mine.tenant_id from visible.my_tenants as mine where mine.family = 'support'
    ));
comment on view visible.support_events is 'Events of the source that whoever asks may see, with their conversations';

create or replace view visible.support_messages with (security_barrier = true) as
select
    messages.message_id,
    messages.account_id,
    messages.conversation_id,
    messages.inbox_id,
    messages.sender_user_id,
    messages.direction,
    messages.occurred_at,
    messages.occurred_watermark,
    conversations.team_id,
    conversations.inbox_id as conversation_inbox_id,
    conversations.occurred_watermark as conversation_watermark,
    conversations.conversation_id is not null as has_conversation
from staging.stg_support__messages as messages
left join staging.stg_support__conversations as conversations
    on
        messages.conversation_id = conversations.conversation_id
        and messages.account_id = conversations.account_id
where
    (select visible.sees_all_tenants())
    or messages.tenant_id = any (array(
        select mine.tenant_id from visible.my_tenants as mine where mine.family = 'support'
    ));
comment on view visible.support_messages is 'Messages of the source that whoever asks may see, with their conversations';
