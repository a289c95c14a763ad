-- What the ledgers hold, in the shape of outreach_source_rows. What they keep without a source has
-- nothing to be compared with; opt-outs are worked out with it on either side.
with activities as (
    select * from {{ ref('outreach_activity_ledger') }}
    where not is_source_gone
),

transitions as (
    select * from {{ ref('outreach_transition_ledger') }}
    where not is_source_gone
),

optouts as (
    select * from {{ ref('outreach_optout_ledger') }}
)

select
    tenant_id,
    case
        when kind in ('send', 'implied_send', 'failure', 'unsent') then 'outbound_messages'
        when activity_id like 'inbound%' and message_id like 'inbound/%' then 'inbound_messages'
        else 'message_events'
    end as part,
    'message' as grain,
    message_id as key,
    {{ outreach_filed_at('kind', 'occurred_at', 'ingested_at') }} as filed_at,
    date,
    1::bigint as row_count,
    source_hash as row_hash,
    verdict = 'counted' as is_counted
from activities

union all

select
    tenant_id,
    'campaign_transitions' as part,
    'campaign' as grain,
    campaign_id as key,
    {{ filed_at('occurred_at', 'ingested_at') }} as filed_at,
    date,
    1::bigint as row_count,
    source_hash as row_hash,
    verdict = 'counted' as is_counted
from transitions

union all

select
    tenant_id,
    'optouts' as part,
    'optouts' as grain,
    '' as key,
    occurred_at as filed_at,
    date,
    1::bigint as row_count,
    {{ outreach_optout_hash() }} as row_hash,
    verdict = 'counted' as is_counted
from optouts
