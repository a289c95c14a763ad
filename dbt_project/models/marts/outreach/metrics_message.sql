{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'message_id'],
    subject='message',
    subject_column='message_id',
    layer='message',
    touched_columns=[],
    changes='outreach_message_change',
    change_columns=[
        'tenant_id', 'date', 'campaign_id', 'sent_at', 'implied_sent_at', 'first_delivered_at',
        'first_open_at', 'first_human_open_at', 'first_click_at', 'first_bounce_at', 'first_drop_at',
        'first_complaint_at', 'first_unsubscribe_at', 'first_reply_at'
    ],
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

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

activities as (
    select ledger.*
    from {{ ref('outreach_activity_ledger') }} as ledger
    inner join subjects
        on
            ledger.tenant_id = subjects.tenant_id
            and ledger.message_id = subjects.message_id
    where ledger.verdict = 'counted' and ledger.activity_id <> 'inbound'
),

messages as (
    select
        tenant_id,
        message_id,
        min(contact_id) as contact_id,
        min(campaign_id) as campaign_id,
        min(channel) as channel,
        min(occurred_at) as first_activity_at,
        min(occurred_at) filter (where kind = 'send') as sent_at,
        min(occurred_at) filter (where kind = 'implied_send') as implied_sent_at,
        min(occurred_at) filter (where kind = 'failure') as failed_at,
        min(occurred_at) filter (where kind = 'delivered') as first_delivered_at,
        min(occurred_at) filter (where kind = 'open') as first_open_at,
        min(occurred_at) filter (where is_first_human) as first_human_open_at,
        min(occurred_at) filter (where kind = 'click') as first_click_at,
        min(occurred_at) filter (where kind = 'bounce') as first_bounce_at,
        min(occurred_at) filter (where kind = 'dropped') as first_drop_at,
        min(occurred_at) filter (where kind = 'complaint') as first_complaint_at,
        min(occurred_at) filter (where kind = 'unsubscribe') as first_unsubscribe_at,
        min(occurred_at) filter (where kind = 'reply') as first_reply_at,
        count(*) filter (where kind = 'delivered') as deliveries,
        count(*) filter (where kind = 'open') as opens,
        count(*) filter (where kind = 'open' and not is_machine) as human_opens,
        count(*) filter (where kind = 'click') as clicks,
        count(*) filter (where kind = 'click' and is_machine) as suspected_bot_clicks,
        count(*) filter (where kind = 'reply') as replies,
        -- whoever reported an event can report events
        bool_or(is_trackable or activity_id <> 'message') as is_trackable,
        coalesce(bool_or(not is_block) filter (where kind = 'bounce' and is_first), false)
            as is_hard_bounce
    from activities
    group by tenant_id, message_id
)

select
    messages.tenant_id,
    messages.message_id,
    messages.contact_id,
    messages.campaign_id,
    messages.channel,
    (
        coalesce(messages.sent_at, messages.implied_sent_at, messages.first_activity_at)
        at time zone tenants.timezone
    )::date as date,
    messages.sent_at,
    messages.implied_sent_at,
    messages.failed_at,
    messages.first_delivered_at,
    messages.first_open_at,
    messages.first_human_open_at,
    messages.first_click_at,
    messages.first_bounce_at,
    messages.first_drop_at,
    messages.first_complaint_at,
    messages.first_unsubscribe_at,
    messages.first_reply_at,
    messages.deliveries,
    messages.opens,
    messages.human_opens,
    messages.clicks,
    messages.suspected_bot_clicks,
    messages.replies,
    messages.is_trackable,
    messages.is_hard_bounce
from messages
inner join tenants
    on messages.tenant_id = tenants.tenant_id
