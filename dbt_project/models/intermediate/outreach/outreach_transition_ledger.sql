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

-- A retried job logs its step twice.
numbered as (
    select
        transitions.*,
        row_number() over (
            partition by tenant_id, campaign_id, reason, occurred_at, from_status, to_status
            order by ingested_at, transition_id collate "C"
        ) as copy,
        {{ outreach_time_fault('occurred_at', 'ingested_at') }} as reason_refused
    from transitions
)

select
    numbered.tenant_id,
    numbered.campaign_id,
    numbered.transition_id,
    numbered.from_status,
    numbered.to_status,
    numbered.occurred_at,
    (numbered.occurred_at at time zone tenants.timezone)::date as date,
    numbered.ingested_at
from numbered
inner join tenants
    on numbered.tenant_id = tenants.tenant_id
where numbered.copy = 1 and numbered.reason_refused is null
