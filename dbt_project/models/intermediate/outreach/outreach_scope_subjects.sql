{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ enter_refresh('outreach') }}",
    post_hook=["select ops.outreach_erase_vanished()", "analyze {{ this }}"]
) }}

-- What this refresh recomputes: subjects that were claimed, those with source rows on the dates it
-- replaces whole, and those of which a ledger may keep rows there.
with recursive scope as (
    select
        scope.*,
        lower_inf(scope.dates) and upper_inf(scope.dates) as whole,
        tenants.timezone
    from {{ source('ops', 'outreach_scope') }} as scope
    left join {{ ref('stg_outreach__tenants') }} as tenants
        on scope.tenant_id = tenants.tenant_id
),

-- Mostly nobody asks for dates: then no source table is read for them.
dated_scope as (
    select * from scope
    where not isempty(dates)
),

claims as (
    select * from {{ source('ops', 'outreach_claim') }}
),

messages as (
    select * from {{ ref('stg_outreach__messages') }}
),

-- Read by keys each time, never as a whole.
message_events as not materialized (
    select * from {{ ref('outreach_message_events') }}
),

inbound_messages as (
    select * from {{ ref('stg_outreach__inbound_messages') }}
),

transitions as (
    select * from {{ ref('stg_outreach__transitions') }}
),

-- By a function: the ledgers depend on this table.
kept_subjects as (
    select * from ops.outreach_kept_subjects()
),

message_candidates as (
    select
        tenant_id,
        key as message_id,
        true as whole
    from claims
    where grain = 'message'

    union all

    select
        messages.tenant_id,
        messages.message_id,
        scope.whole
    from messages
    inner join dated_scope as scope
        on messages.tenant_id = scope.tenant_id
    where
        scope.whole
        or scope.dates @> (messages.sent_at at time zone scope.timezone)::date
        or (
            messages.state = 'failed'
            and scope.dates @> (messages.failed_at at time zone scope.timezone)::date
        )

    union all

    select
        message_events.tenant_id,
        message_events.message_id,
        false as whole
    from message_events
    inner join dated_scope as scope
        on message_events.tenant_id = scope.tenant_id
    where
        not scope.whole
        and message_events.occurred_watermark >= scope.date_from - interval '1 day'
        and message_events.occurred_watermark < scope.date_to + interval '1 day'
        and scope.dates @> (message_events.occurred_at at time zone scope.timezone)::date

    union all

    select
        inbound_messages.tenant_id,
        'inbound/' || inbound_messages.inbound_id as message_id,
        scope.whole
    from inbound_messages
    inner join dated_scope as scope
        on inbound_messages.tenant_id = scope.tenant_id
    where scope.dates @> (inbound_messages.occurred_at at time zone scope.timezone)::date

    union all

    select
        tenant_id,
        key as message_id,
        whole
    from kept_subjects
    where grain = 'message'
),

-- Copies of one provider event may hang on several messages: these are judged together.
message_closure as (
    select
        tenant_id,
        message_id,
        bool_or(whole) as whole
    from message_candidates
    group by tenant_id, message_id

    union

    select
        copies.tenant_id,
        copies.message_id,
        subjects.whole
    from message_closure as subjects
    inner join scope
        on
            subjects.tenant_id = scope.tenant_id
            and not scope.whole
    inner join message_events as originals
        on subjects.message_id = originals.message_id
    -- With an offset, so that they are looked up by the index: how many subjects there are is not
    -- known beforehand, and the events of all time are never worth reading for their copies.
    cross join lateral (
        select
            tenant_id,
            message_id
        from message_events as alike
        where
            alike.provider_event_key = originals.provider_event_id
            and alike.tenant_id = originals.tenant_id
            and alike.message_id <> originals.message_id
        offset 0  -- noqa: AM09
    ) as copies
),

campaign_candidates as (
    select
        tenant_id,
        key as campaign_id,
        true as whole
    from claims
    where grain = 'campaign'

    union all

    select
        transitions.tenant_id,
        transitions.campaign_id,
        scope.whole
    from transitions
    inner join dated_scope as scope
        on transitions.tenant_id = scope.tenant_id
    where
        scope.whole
        or scope.dates @> (transitions.occurred_at at time zone scope.timezone)::date

    union all

    select
        tenant_id,
        key as campaign_id,
        whole
    from kept_subjects
    where grain = 'campaign'
),

-- Opt-outs follow from all that is known of an address; the tenant's are recomputed together. Those
-- that follow from messages in scope are added once these are known.
optout_candidates as (
    select
        scope.tenant_id,
        scope.whole or exists (
            select 1 from claims
            where scope.tenant_id = claims.tenant_id and claims.grain = 'optouts'
        ) as whole
    from scope
    where
        not isempty(scope.dates)
        or exists (
            select 1 from claims
            where scope.tenant_id = claims.tenant_id and claims.grain = 'optouts'
        )
),

subjects as (
    select
        tenant_id,
        'message' as grain,
        message_id as key,
        whole
    from message_closure

    union all

    select
        tenant_id,
        'campaign' as grain,
        campaign_id as key,
        whole
    from campaign_candidates

    union all

    select
        tenant_id,
        'optouts' as grain,
        '' as key,
        whole
    from optout_candidates
)

select
    ops.current_refresh_id() as refresh_id,
    tenant_id,
    grain,
    key,
    bool_or(whole) as whole
from subjects
group by tenant_id, grain, key
