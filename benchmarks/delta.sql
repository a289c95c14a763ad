-- New opens and clicks that come in now; a tenth of them happened up to a week ago.
insert into {source}.message_events (
    id, tenant_id, message_id, type, event_at, data, created_at, updated_at, sg_event_id
)
select
    'bench_' || numbered.n,
    numbered.tenant_id,
    numbered.id,
    case when numbered.n %% 4 = 0 then 'click' else 'open' end,
    date_trunc('second', now() at time zone 'UTC')
    - case when numbered.n %% 10 = 0 then random() * interval '7 days' else random() * interval '1 hour' end,
    '{{"url": "https://example.com/bench", "ip": "203.0.113.9", "useragent": "Mail"}}',
    now() at time zone 'UTC',
    now() at time zone 'UTC',
    'sg_bench_' || numbered.n
from (
    select
        messages.id,
        messages.tenant_id,
        row_number() over (order by messages.sent_at desc) as n
    from {source}.outbound_messages as messages
    where messages.state = 'sent'
    limit %s
) as numbered
