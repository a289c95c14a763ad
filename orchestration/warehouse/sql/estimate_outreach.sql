-- The planner's estimate of the source rows that some tenants have in a range of dates.
explain (format json)
select 1
from {source}.outbound_messages
where tenant_id = any(%(tenant_ids)s) and sent_at >= %(date_from)s::date and sent_at < %(date_to)s::date + 1
union all
select 1
from {source}.message_events
where tenant_id = any(%(tenant_ids)s) and event_at >= %(date_from)s::date and event_at < %(date_to)s::date + 1
