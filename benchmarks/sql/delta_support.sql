-- New events that come in now, in the newest conversations; a tenth happened up to a week ago.
insert into {source}.reporting_events (
    name, value, value_in_business_hours, account_id, inbox_id, user_id, conversation_id,
    event_start_time, event_end_time, created_at, updated_at
)
select
    kinds.name,
    60,
    60,
    recent.account_id,
    recent.inbox_id,
    recent.assignee_id,
    recent.id,
    times.at,
    times.at,
    times.at,
    times.at
from (
    select
        conversations.*,
        row_number() over (order by random()) as n
    from (
        select * from {source}.conversations
        order by created_at desc
        limit %(rows)s * 8
    ) as conversations
) as recent
cross join lateral (
    select
        (array['reply_time', 'first_response', 'conversation_resolved', 'conversation_bot_handoff'])[
            1 + recent.n %% 4
        ] as name
) as kinds
cross join lateral (
    select
        now() at time zone 'UTC'
        - case when recent.n %% 10 = 0 then random() * interval '7 days' else interval '0' end as at
) as times
where recent.n <= %(rows)s
