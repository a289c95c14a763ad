{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'message_id', 'activity_id'],
    subject='message',
    subject_column='message_id',
    copy_column='copy_key',
    layer='activity',
    touched_columns=['campaign_id', 'contact_id', 'channel', 'hour'],
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

-- Every source row of the messages in scope, once, with what became of it.
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

events as (
    {{ outreach_event_features('judged_events') }}
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
        tenant_id,
        'inbound/' || inbound_id as message_id,
        case when row_copy > 1 then 'inbound copy ' || row_copy else 'inbound' end as activity_id,
        'reply' as kind,
        occurred_at,
        ingested_at,
        coalesce(campaign_id, '__none__') as campaign_id,
        coalesce(contact_id, '__none__') as contact_id,
        channel,
        {{ time_fault('occurred_at', 'ingested_at') }} as reason,
        row_copy,
        source_hash
    from inbound_messages
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
        copy_key
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
        null::bigint as copy_key
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
        null::bigint as copy_key
    from replies
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
    activities.copy_key
from activities
inner join tenants
    on activities.tenant_id = tenants.tenant_id
