{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'campaign_id', 'transition_id'],
    subject='campaign',
    subject_column='campaign_id',
    layer='transition',
    touched_columns=['campaign_id'],
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with subjects as (
    select
        tenant_id,
        key as campaign_id
    from {{ ref('outreach_scope_subjects') }}
    where refresh_id = ops.current_refresh_id() and grain = 'campaign'
),

tenants as (
    select * from {{ ref('stg_outreach__tenants') }}
),

transitions as (
    select transitions.*
    from {{ ref('stg_outreach__transitions') }} as transitions
    inner join subjects
        on
            transitions.tenant_id = subjects.tenant_id
            and transitions.campaign_id = subjects.campaign_id
),

judged as (
    select
        transitions.*,
        {{ number_copies(
            'outreach', 'campaign_transitions',
            ['tenant_id', 'campaign_id', 'transition_id'],
            ['ingested_at', 'occurred_at', 'to_status', 'reason']
        ) }} as row_copy,
        {{ time_fault('occurred_at', 'ingested_at') }} as fault
    from transitions
),

-- A retried job logs its step twice.
numbered as (
    select
        judged.*,
        row_number() over (
            partition by
                tenant_id, campaign_id, reason, occurred_at, from_status, to_status,
                row_copy > 1, fault is null
            order by ingested_at, transition_id collate "C"
        ) as copy
    from judged
)

select
    numbered.tenant_id,
    numbered.campaign_id,
    case
        when numbered.row_copy > 1 then numbered.transition_id || ' copy ' || numbered.row_copy
        else numbered.transition_id
    end as transition_id,
    case
        when numbered.row_copy > 1 then 'duplicate'
        when numbered.fault is not null then 'quarantined'
        when numbered.copy > 1 then 'duplicate'
        else 'counted'
    end as verdict,
    case when numbered.row_copy = 1 then numbered.fault end as reason,
    numbered.from_status,
    numbered.to_status,
    coalesce(numbered.occurred_at, 'infinity') as occurred_at,
    (
        {{ filed_at('numbered.occurred_at', 'numbered.ingested_at') }}
        at time zone tenants.timezone
    )::date as date,
    numbered.ingested_at
from numbered
inner join tenants
    on numbered.tenant_id = tenants.tenant_id
