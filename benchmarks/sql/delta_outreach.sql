-- New opens and clicks that come in now; a tenth of them happened up to a week ago.
insert into {source}.message_events (
    id, tenant_id, message_id, type, event_at, data, created_at, updated_at, sg_event_id
)
select
    %(round)s || '_' || chosen.n,
    chosen.tenant_id,
    chosen.id,
    case when chosen.n %% 4 = 0 then 'click' else 'open' end,
    date_trunc('second', now() at time zone 'UTC')
    - case when chosen.n %% 10 = 0 then random() * interval '7 days' else random() * interval '1 hour' end,
    '{{"url": "https://example.com/bench", "ip": "203.0.113.9", "useragent": "Mail"}}',
    now() at time zone 'UTC',
    now() at time zone 'UTC',
    'sg_' || %(round)s || '_' || chosen.n
from (
    select
        recent.*,
        row_number() over (order by random()) as n
    from (
        select
            id,
            tenant_id
        from {source}.outbound_messages
        where state = 'sent'
        order by sent_at desc
        limit %(rows)s * 8
    ) as recent
) as chosen
where chosen.n <= %(rows)s;
