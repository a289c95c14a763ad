with activities as (
    select
        *,
        case
            when kind in ('send', 'implied_send', 'failure', 'unsent') then 'outbound_messages'
            when activity_id like 'inbound%' and message_id like 'inbound/%' then 'inbound_messages'
            else 'message_events'
        end as source_table
    from {{ ref('outreach_activity_ledger') }}
),

transitions as (
    select * from {{ ref('outreach_transition_ledger') }}
),

optouts as (
    select * from {{ ref('outreach_optout_ledger') }}
    where source_table = 'contact_unsubscribes'
)

select
    tenant_id,
    date,
    source_table,
    verdict,
    reason,
    count(*) as row_count
from activities
group by tenant_id, date, source_table, verdict, reason

union all

select
    tenant_id,
    date,
    'campaign_transitions' as source_table,
    verdict,
    reason,
    count(*) as row_count
from transitions
group by tenant_id, date, verdict, reason

union all

select
    tenant_id,
    date,
    source_table,
    verdict,
    reason,
    count(*) as row_count
from optouts
group by tenant_id, date, source_table, verdict, reason
