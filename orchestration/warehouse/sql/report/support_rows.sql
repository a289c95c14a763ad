-- Rows of the support source in a window or in two, each with its member of a dimension.
--
-- Plain selects that the planner folds into the query around them; the dimension is a constant by
-- then, so that only one branch is left of each. Nothing at all is left of an empty window. Two are
-- the edges of whole days: asked together, their query is planned once.
--
-- Only the coordinator of Citus can answer these: no query has both them and a ledger or rollup in it.
set check_function_bodies = off;

create or replace function report._within(
    p_watermark timestamp,
    p_since timestamptz,
    p_until timestamptz,
    p_also_since timestamptz,
    p_also_until timestamptz
) returns boolean
language sql immutable parallel safe
as $$
    select
        (
            p_since < p_until
            and p_watermark >= p_since at time zone 'UTC'
            and p_watermark < p_until at time zone 'UTC'
        )
        or (
            p_also_since < p_also_until
            and p_watermark >= p_also_since at time zone 'UTC'
            and p_watermark < p_also_until at time zone 'UTC'
        )
$$;
comment on function report._within is 'Whether an instant of the source is in one of two windows, either of which may be none';

create or replace function report._mismatched(p_account_id integer, p_source_table text)
returns bigint[]
language plpgsql stable
as $$
-- A query of its own: what it reads may be distributed, unlike the rows of the source.
begin
    return array(
        select quarantined.row_id::bigint
        from visible.quarantined_row as quarantined
        where
            quarantined.family = 'support'
            and quarantined.source_table = p_source_table
            and quarantined.tenant_id = p_account_id::text
            and quarantined.reason = 'tenant_mismatch'
    );
end
$$;
comment on function report._mismatched is 'Rows of an account that name a conversation of another one';

drop function if exists report._support_events(integer, text, timestamptz, timestamptz);
drop function if exists report._support_events(
    integer, text, timestamptz, timestamptz, timestamptz, timestamptz
);
create function report._support_events(
    p_account_id integer,
    p_dimension text,
    p_since timestamptz,
    p_until timestamptz,
    p_also_since timestamptz default null,
    p_also_until timestamptz default null
)
returns table (
    event_id bigint,
    name text,
    conversation_id bigint,
    entity bigint,
    value double precision,
    value_in_business_hours double precision,
    occurred_at timestamptz,
    has_conversation boolean,
    conversation_inbox_id bigint,
    conversation_watermark timestamp
)
language sql stable parallel safe
as $$
    select
        events.event_id,
        events.name::text,
        events.conversation_id::bigint,
        case p_dimension
            when 'account' then events.account_id
            when 'agent' then events.user_id
            when 'inbox' then events.inbox_id
        end::bigint,
        events.value,
        events.value_in_business_hours,
        events.occurred_at,
        events.has_conversation,
        events.conversation_inbox_id::bigint,
        events.conversation_watermark
    from visible.support_events as events
    where
        p_dimension in ('account', 'agent', 'inbox')
        and events.account_id = p_account_id
        -- those of another account's conversation; the joins below leave them out by themselves
        and events.event_id <> all((select report._mismatched(p_account_id, 'reporting_events'))::bigint[])
        and report._within(events.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
    union all
    select
        events.event_id,
        events.name::text,
        events.conversation_id::bigint,
        events.team_id::bigint,
        events.value,
        events.value_in_business_hours,
        events.occurred_at,
        events.has_conversation,
        events.conversation_inbox_id::bigint,
        events.conversation_watermark
    from visible.support_events as events
    where
        p_dimension = 'team'
        and events.has_conversation
        and events.account_id = p_account_id
        and report._within(events.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
    union all
    select
        events.event_id,
        events.name::text,
        events.conversation_id::bigint,
        labels.label_id::bigint,
        events.value,
        events.value_in_business_hours,
        events.occurred_at,
        events.has_conversation,
        events.conversation_inbox_id::bigint,
        events.conversation_watermark
    from visible.support_events as events
    inner join visible.stg_support__conversation_labels as tagged
        on
            events.conversation_id = tagged.conversation_id
            and events.account_id = tagged.account_id
    inner join visible.stg_support__labels as labels
        on
            tagged.label_title = labels.label_title
            and tagged.account_id = labels.account_id
    where
        p_dimension = 'label'
        and events.account_id = p_account_id
        and report._within(events.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
$$;
comment on function report._support_events is 'Events of a window, each with its member of a dimension (a label''s event once per label)';

drop function if exists report._support_conversations(integer, text, timestamptz, timestamptz);
drop function if exists report._support_conversations(
    integer, text, timestamptz, timestamptz, timestamptz, timestamptz
);
create function report._support_conversations(
    p_account_id integer,
    p_dimension text,
    p_since timestamptz,
    p_until timestamptz,
    p_also_since timestamptz default null,
    p_also_until timestamptz default null
)
returns table (
    conversation_id bigint,
    entity bigint,
    inbox_id bigint,
    status text,
    occurred_at timestamptz
)
language sql stable parallel safe
as $$
    select
        conversations.conversation_id::bigint,
        case p_dimension
            when 'account' then conversations.account_id
            when 'agent' then conversations.assignee_id
            when 'inbox' then conversations.inbox_id
            when 'team' then conversations.team_id
        end::bigint,
        conversations.inbox_id::bigint,
        conversations.status,
        conversations.occurred_at
    from visible.stg_support__conversations as conversations
    where
        p_dimension in ('account', 'agent', 'inbox', 'team')
        and conversations.account_id = p_account_id
        and report._within(conversations.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
    union all
    select
        conversations.conversation_id::bigint,
        labels.label_id::bigint,
        conversations.inbox_id::bigint,
        conversations.status,
        conversations.occurred_at
    from visible.stg_support__conversations as conversations
    inner join visible.stg_support__conversation_labels as tagged
        on
            conversations.conversation_id = tagged.conversation_id
            and conversations.account_id = tagged.account_id
    inner join visible.stg_support__labels as labels
        on
            tagged.label_title = labels.label_title
            and tagged.account_id = labels.account_id
    where
        p_dimension = 'label'
        and conversations.account_id = p_account_id
        and report._within(conversations.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
$$;
comment on function report._support_conversations is 'Conversations created in a window, each with its present member of a dimension';

drop function if exists report._support_messages(integer, text, timestamptz, timestamptz);
drop function if exists report._support_messages(
    integer, text, timestamptz, timestamptz, timestamptz, timestamptz
);
create function report._support_messages(
    p_account_id integer,
    p_dimension text,
    p_since timestamptz,
    p_until timestamptz,
    p_also_since timestamptz default null,
    p_also_until timestamptz default null
)
returns table (
    message_id bigint,
    conversation_id bigint,
    entity bigint,
    direction text,
    occurred_at timestamptz,
    conversation_inbox_id bigint,
    conversation_watermark timestamp
)
language sql stable parallel safe
as $$
    select
        messages.message_id::bigint,
        messages.conversation_id::bigint,
        case p_dimension
            when 'account' then messages.account_id
            -- what an agent is counted for is what they sent themselves
            when 'agent' then case when messages.direction = 'outgoing' then messages.sender_user_id end
            when 'inbox' then messages.inbox_id
        end::bigint,
        messages.direction,
        messages.occurred_at,
        messages.conversation_inbox_id::bigint,
        messages.conversation_watermark
    from visible.support_messages as messages
    where
        p_dimension in ('account', 'agent', 'inbox')
        and messages.account_id = p_account_id
        -- those of another account's conversation; the joins below leave them out by themselves
        and messages.message_id <> all((select report._mismatched(p_account_id, 'messages'))::bigint[])
        and report._within(messages.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
    union all
    select
        messages.message_id::bigint,
        messages.conversation_id::bigint,
        messages.team_id::bigint,
        messages.direction,
        messages.occurred_at,
        messages.conversation_inbox_id::bigint,
        messages.conversation_watermark
    from visible.support_messages as messages
    where
        p_dimension = 'team'
        and messages.has_conversation
        and messages.account_id = p_account_id
        and report._within(messages.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
    union all
    select
        messages.message_id::bigint,
        messages.conversation_id::bigint,
        labels.label_id::bigint,
        messages.direction,
        messages.occurred_at,
        messages.conversation_inbox_id::bigint,
        messages.conversation_watermark
    from visible.support_messages as messages
    inner join visible.stg_support__conversation_labels as tagged
        on
            messages.conversation_id = tagged.conversation_id
            and messages.account_id = tagged.account_id
    inner join visible.stg_support__labels as labels
        on
            tagged.label_title = labels.label_title
            and tagged.account_id = labels.account_id
    where
        p_dimension = 'label'
        and messages.account_id = p_account_id
        and report._within(messages.occurred_watermark, p_since, p_until, p_also_since, p_also_until)
$$;
comment on function report._support_messages is 'Messages of a window, each with its member of a dimension';
