-- The least that any refresh must do: read the rows that came in within the last hour.
select count(*) + coalesce(sum(length(events.data::text)), 0) * 0
from {source}.message_events as events
inner join {source}.outbound_messages as messages on events.message_id = messages.id
where events.created_at >= (now() at time zone 'UTC') - interval '1 hour'
