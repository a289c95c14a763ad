-- The planner's estimate of the source rows that some accounts have in a range of dates.
explain (format json)
select 1
from {source}.reporting_events
where account_id = any(%(tenant_ids)s::integer[]) and created_at >= %(date_from)s::date and created_at < %(date_to)s::date + 1
union all
select 1
from {source}.conversations
where account_id = any(%(tenant_ids)s::integer[]) and created_at >= %(date_from)s::date and created_at < %(date_to)s::date + 1
union all
select 1
from {source}.messages
where account_id = any(%(tenant_ids)s::integer[]) and created_at >= %(date_from)s::date and created_at < %(date_to)s::date + 1
