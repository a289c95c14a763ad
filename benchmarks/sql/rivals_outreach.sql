-- What somebody would write by hand: activities joined on the fly, eight metrics a grain, no
-- quarantine, no copies found, no late first opens. All rivals of the rollups start from this view.
create schema bench;

create view bench.activities as
select
    message.tenant_id,
    message.campaign_id,
    message.contact_id,
    message.channel::text as channel,
    message.id as message_id,
    activity.kind,
    activity.came_at,
    date_trunc('hour', activity.occurred_at at time zone 'UTC', tenant.timezone) as hour,
    (activity.occurred_at at time zone 'UTC' at time zone tenant.timezone)::date as date
from (
    select
        event.message_id,
        event.type as kind,
        event.event_at as occurred_at,
        event.created_at as came_at
    from {source}.message_events as event

    union all

    select
        sent.id,
        'send',
        sent.sent_at,
        sent.updated_at
    from {source}.outbound_messages as sent
    where sent.state = 'sent'
) as activity
inner join {source}.outbound_messages as message on activity.message_id = message.id
inner join staging.stg_outreach__tenants as tenant on message.tenant_id = tenant.tenant_id;

-- The indexes that `rollups doctor` asks for, for us and for the rivals.
create index if not exists message_events_message_id_idx on {source}.message_events (message_id);
create index if not exists message_events_created_at_idx on {source}.message_events (created_at);
create index if not exists outbound_messages_updated_at_idx on {source}.outbound_messages (updated_at);
create index if not exists campaign_transitions_created_at_idx on {source}.campaign_transitions (created_at);
analyze {source}.message_events;
analyze {source}.outbound_messages;
