-- What the ledgers should hold, worked out from the source of today: every row under its subject
-- and date, with the hash of its content.
with tenants as (
    select * from {{ ref('stg_outreach__tenants') }}
),

messages as (
    select
        messages.*,
        {{ number_copies(
            'outreach', 'outbound_messages',
            ['messages.tenant_id', 'messages.message_id'],
            ['messages.ingested_at', 'messages.state', 'messages.sent_at']
        ) }} as row_copy
    from {{ ref('stg_outreach__messages') }} as messages
),

message_events as (
    select * from {{ ref('outreach_message_events') }}
),

inbound_messages as (
    select * from {{ ref('stg_outreach__inbound_messages') }}
),

-- Of two copies the one that the ledger keeps without a source goes before.
all_transitions as (
    select
        tenant_id,
        campaign_id,
        null as contact_id,
        transition_id,
        from_status,
        to_status,
        hashtextextended(reason, 0) as reason_hash,
        occurred_at,
        ingested_at,
        source_hash,
        false as is_source_gone
    from {{ ref('stg_outreach__transitions') }}

    union all

    select
        tenant_id,
        campaign_id,
        null as contact_id,
        transition_id,
        from_status,
        to_status,
        reason_hash,
        occurred_at,
        ingested_at,
        source_hash,
        true as is_source_gone
    from {{ ref('outreach_transition_ledger') }}
    where is_source_gone and ({{ delete_policy() }} = 'freeze' or campaign_id = '__erased__')
),

transitions as (
    select *
    from ({{ outreach_judged_transitions('all_transitions') }}) as judged
    where not is_source_gone
),

optouts as (
    {{ outreach_judged_optouts(ref('stg_outreach__tenants'), ref('outreach_optout_ledger')) }}
),

-- A message that is not marked as sent stands in the ledger if its events prove that it was: the
-- ledger's own events, which are compared for themselves.
event_summary as (
    select
        ledger.tenant_id,
        ledger.message_id,
        min(ledger.occurred_at) filter (
            where ledger.kind in ('delivered', 'open', 'click', 'bounce')
        ) as first_proof_of_sending_at,
        count(*) as counted_events
    from {{ ref('stg_outreach__messages') }} as messages
    inner join {{ ref('outreach_activity_ledger') }} as ledger
        on
            messages.tenant_id = ledger.tenant_id
            and messages.message_id = ledger.message_id
    where
        messages.state <> 'sent'
        and ledger.activity_id <> 'message'
        and ledger.verdict = 'counted'
    group by ledger.tenant_id, ledger.message_id
),

sendings as (
    {{ outreach_sendings('messages', 'event_summary') }}
),

rows_of_parts as (
    select
        tenant_id,
        'outbound_messages' as part,
        'message' as grain,
        message_id as key,
        {{ outreach_filed_at('kind', 'occurred_at', 'ingested_at') }} as filed_at,
        source_hash as row_hash
    from sendings

    union all

    select
        tenant_id,
        'message_events' as part,
        'message' as grain,
        message_id as key,
        {{ filed_at('occurred_at', 'ingested_at') }} as filed_at,
        row_hash
    from message_events

    union all

    select
        tenant_id,
        'inbound_messages' as part,
        'message' as grain,
        'inbound/' || inbound_id as key,
        {{ filed_at('occurred_at', 'ingested_at') }} as filed_at,
        source_hash as row_hash
    from inbound_messages

    union all

    select
        tenant_id,
        'campaign_transitions' as part,
        'campaign' as grain,
        campaign_id as key,
        filed_at,
        source_hash as row_hash
    from transitions

    union all

    select
        tenant_id,
        'optouts' as part,
        'optouts' as grain,
        '' as key,
        filed_at,
        {{ outreach_optout_hash() }} as row_hash
    from optouts
)

select
    rows_of_parts.tenant_id,
    rows_of_parts.part,
    rows_of_parts.grain,
    rows_of_parts.key,
    rows_of_parts.filed_at,
    (rows_of_parts.filed_at at time zone tenants.timezone)::date as date,
    1::bigint as row_count,
    rows_of_parts.row_hash
from rows_of_parts
inner join tenants
    on rows_of_parts.tenant_id = tenants.tenant_id
