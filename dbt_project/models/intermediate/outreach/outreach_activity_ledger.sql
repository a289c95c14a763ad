{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'message_id', 'activity_id'],
    subject='message',
    subject_column='message_id',
    copy_column='copy_key',
    layer='activity',
    touched_columns=[],
    changes='outreach_activity_change',
    change_columns=[
        'tenant_id', 'date', 'hour', 'campaign_id', 'contact_id', 'channel', 'kind', 'is_machine',
        'is_first', 'is_first_human', 'is_first_engagement', 'is_block', 'is_trackable'
    ],
    pre_hook="{{ enter_refresh('outreach') }}",
    post_hook="{{ index_activities() }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}
{%- set columns = {
    'tenant_id': 'text', 'message_id': 'text', 'activity_id': 'text', 'verdict': 'text',
    'reason': 'text', 'kind': 'text', 'occurred_at': 'timestamptz', 'ingested_at': 'timestamptz',
    'campaign_id': 'text', 'contact_id': 'text', 'channel': 'text', 'is_first': 'boolean',
    'is_first_human': 'boolean', 'is_first_engagement': 'boolean', 'is_machine': 'boolean',
    'is_block': 'boolean', 'is_trackable': 'boolean', 'source_hash': 'bigint',
    'copy_key': 'bigint', 'copy_of': 'text'
} %}

-- Every source row of the messages in scope, once, with what became of it; and, as the delete
-- policy says, the rows whose source row is gone.
with subjects as (
    select
        tenant_id,
        key as message_id
    from {{ ref('outreach_scope_subjects') }}
    where refresh_id = ops.current_refresh_id() and grain = 'message'
),

tenants as (
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
    inner join subjects
        on
            messages.tenant_id = subjects.tenant_id
            and messages.message_id = subjects.message_id
),

inbound_messages as (
    select
        inbound_messages.*,
        {{ number_copies(
            'outreach', 'inbound_messages',
            ['inbound_messages.tenant_id', 'inbound_messages.inbound_id'],
            ['inbound_messages.ingested_at', 'inbound_messages.occurred_at']
        ) }} as row_copy
    from {{ ref('stg_outreach__inbound_messages') }} as inbound_messages
    inner join subjects
        on
            inbound_messages.tenant_id = subjects.tenant_id
            and subjects.message_id = 'inbound/' || inbound_messages.inbound_id
),

judged_events as (
    {{ judged_message_events('subjects', 'messages') }}
),

message_events as not materialized (
    select * from {{ ref('outreach_message_events') }}
),

-- What this ledger has of the subjects. Apart, so that nothing is read where nothing is ever kept,
-- and so that a distributed ledger is read on its own.
former as materialized (
    select ledger.*
    from ({{ former_rows(columns) }}) as ledger
    inner join subjects
        on
            ledger.tenant_id = subjects.tenant_id
            and ledger.message_id = subjects.message_id
    where {{ delete_policy() }} <> 'restate' or (select ops.has_erasures())
),

-- What was erased stays under every policy: nothing but this ledger knows of it.
kept as (
    select ledger.*
    from former as ledger
    where
        ({{ delete_policy() }} = 'freeze' or ledger.message_id like 'erased/%')
        -- further rows with the id of another are found again with it, or not at all
        and ledger.activity_id not like '% copy %'
        and case ledger.activity_id
            when 'message'
                then not exists (
                        select 1 from {{ ref('stg_outreach__messages') }} as present
                        where present.message_id = ledger.message_id
                    )
            when 'inbound'
                then not exists (
                        select 1 from {{ ref('stg_outreach__inbound_messages') }} as present
                        where present.inbound_id = substr(ledger.message_id, length('inbound/') + 1)
                    )
            else not exists (
                    select 1 from message_events as present
                    where present.event_id = ledger.activity_id
                )
        end
),

-- A reply loses its contact and campaign when these are deleted; a frozen ledger does not.
kept_keys as (
    select
        ledger.tenant_id,
        ledger.message_id,
        ledger.campaign_id,
        ledger.contact_id
    from former as ledger
    where {{ delete_policy() }} = 'freeze' and ledger.activity_id = 'inbound'
),

-- The copy of a kept row: alone in the source, it would count a second time.
copies_of_kept as (
    select
        ledger.tenant_id,
        ledger.message_id,
        ledger.activity_id,
        ledger.copy_of
    from former as ledger
    where
        ledger.verdict = 'duplicate'
        and (
            ledger.copy_of like 'erased/%'
            or (
                {{ delete_policy() }} = 'freeze'
                and not exists (
                    select 1 from message_events as present
                    where present.event_id = ledger.copy_of
                )
            )
        )
),

all_events as (
    select
        judged_events.tenant_id,
        judged_events.message_id,
        judged_events.event_id,
        case
            when copies_of_kept.copy_of is not null and judged_events.verdict = 'counted'
                then 'duplicate'
            else judged_events.verdict
        end as verdict,
        coalesce(judged_events.copy_of, copies_of_kept.copy_of) as copy_of,
        judged_events.fault,
        judged_events.kind,
        judged_events.occurred_at,
        judged_events.ingested_at,
        judged_events.campaign_id,
        judged_events.contact_id,
        judged_events.channel,
        judged_events.is_declared_machine,
        judged_events.url,
        judged_events.ip,
        judged_events.user_agent,
        judged_events.is_block,
        judged_events.row_hash as source_hash,
        hashtextextended(judged_events.provider_event_id, 0) as copy_key,
        judged_events.row_copy,
        false as is_source_gone
    from judged_events
    left join copies_of_kept
        on
            judged_events.tenant_id = copies_of_kept.tenant_id
            and judged_events.message_id = copies_of_kept.message_id
            and judged_events.event_id = copies_of_kept.activity_id

    union all

    select
        kept.tenant_id,
        kept.message_id,
        kept.activity_id as event_id,
        kept.verdict,
        kept.copy_of,
        kept.reason as fault,
        kept.kind,
        kept.occurred_at,
        kept.ingested_at,
        coalesce(messages.campaign_id, kept.campaign_id) as campaign_id,
        coalesce(messages.contact_id, kept.contact_id) as contact_id,
        coalesce(messages.channel, kept.channel) as channel,
        kept.is_machine as is_declared_machine,
        null as url,
        null as ip,
        null as user_agent,
        kept.is_block,
        kept.source_hash,
        kept.copy_key,
        1 as row_copy,
        true as is_source_gone
    from kept
    left join messages
        on
            kept.tenant_id = messages.tenant_id
            and kept.message_id = messages.message_id
    where kept.activity_id not in ('message', 'inbound')
),

events as (
    {{ outreach_event_features('all_events') }}
),

event_summary as (
    select
        tenant_id,
        message_id,
        min(occurred_at) filter (
            where kind in ('delivered', 'open', 'click', 'bounce')
        ) as first_proof_of_sending_at,
        count(*) as counted_events
    from events
    where verdict = 'counted'
    group by tenant_id, message_id
),

sendings as (
    {{ outreach_sendings('messages', 'event_summary') }}
),

replies as (
    select
        inbound_messages.tenant_id,
        'inbound/' || inbound_messages.inbound_id as message_id,
        case
            when inbound_messages.row_copy > 1 then 'inbound copy ' || inbound_messages.row_copy
            else 'inbound'
        end as activity_id,
        'reply' as kind,
        inbound_messages.occurred_at,
        inbound_messages.ingested_at,
        coalesce(inbound_messages.campaign_id, kept_keys.campaign_id, '__none__') as campaign_id,
        coalesce(inbound_messages.contact_id, kept_keys.contact_id, '__none__') as contact_id,
        inbound_messages.channel,
        {{ time_fault('inbound_messages.occurred_at', 'inbound_messages.ingested_at') }} as reason,
        inbound_messages.row_copy,
        inbound_messages.source_hash
    from inbound_messages
    left join kept_keys
        on
            inbound_messages.tenant_id = kept_keys.tenant_id
            and 'inbound/' || inbound_messages.inbound_id = kept_keys.message_id
),

activities as (
    select
        tenant_id,
        message_id,
        activity_id,
        verdict,
        reason,
        kind,
        occurred_at,
        ingested_at,
        campaign_id,
        contact_id,
        channel,
        is_first,
        is_first_human,
        is_first_engagement,
        is_machine,
        is_block,
        false as is_trackable,
        source_hash,
        copy_key,
        copy_of,
        is_source_gone
    from events

    union all

    select
        tenant_id,
        message_id,
        activity_id,
        case
            when row_copy > 1 then 'duplicate'
            when kind = 'unsent' then 'ignored'
            when reason is null then 'counted'
            else 'quarantined'
        end as verdict,
        case when row_copy = 1 then reason end as reason,
        kind,
        occurred_at,
        ingested_at,
        campaign_id,
        contact_id,
        channel,
        true as is_first,
        false as is_first_human,
        false as is_first_engagement,
        false as is_machine,
        false as is_block,
        is_trackable,
        source_hash,
        null::bigint as copy_key,
        null as copy_of,
        false as is_source_gone
    from sendings

    union all

    select
        tenant_id,
        message_id,
        activity_id,
        case
            when row_copy > 1 then 'duplicate'
            when kind = 'unsent' then 'ignored'
            when reason is null then 'counted'
            else 'quarantined'
        end as verdict,
        case when row_copy = 1 then reason end as reason,
        kind,
        occurred_at,
        ingested_at,
        campaign_id,
        contact_id,
        channel,
        true as is_first,
        false as is_first_human,
        false as is_first_engagement,
        false as is_machine,
        false as is_block,
        false as is_trackable,
        source_hash,
        null::bigint as copy_key,
        null as copy_of,
        false as is_source_gone
    from replies

    union all

    select
        tenant_id,
        message_id,
        activity_id,
        verdict,
        reason,
        kind,
        occurred_at,
        ingested_at,
        campaign_id,
        contact_id,
        channel,
        is_first,
        is_first_human,
        is_first_engagement,
        is_machine,
        is_block,
        is_trackable,
        source_hash,
        copy_key,
        copy_of,
        true as is_source_gone
    from kept
    where activity_id in ('message', 'inbound')
)

select
    activities.tenant_id,
    activities.message_id,
    activities.activity_id,
    activities.verdict,
    activities.reason,
    activities.kind,
    -- of a row without a time, that there is none
    coalesce(activities.occurred_at, 'infinity') as occurred_at,
    (
        {{ outreach_filed_at(
            'activities.kind', 'activities.occurred_at', 'activities.ingested_at'
        ) }}
        at time zone tenants.timezone
    )::date as date,
    date_trunc('hour', coalesce(activities.occurred_at, 'infinity'), tenants.timezone) as hour,
    activities.campaign_id,
    activities.contact_id,
    activities.channel,
    activities.is_first,
    activities.is_first_human,
    activities.is_first_engagement,
    activities.is_machine,
    activities.is_block,
    activities.is_trackable,
    activities.ingested_at,
    activities.source_hash,
    activities.copy_key,
    activities.copy_of,
    activities.is_source_gone
from activities
inner join tenants
    on activities.tenant_id = tenants.tenant_id
