-- How long after it happened an event usually comes in, in hours, over the latest events.
select
    count(*) as events,
    (
        percentile_cont(0.5) within group (
            order by extract(epoch from latest.created_at - latest.event_at)
        )
    )::float8 / 3600 as hours
from (
    select created_at, event_at
    from {source}.message_events
    order by event_at desc
    limit 2000
) as latest
