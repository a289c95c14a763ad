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

kept as (
    {{ outreach_kept_transitions('transitions') }}
)

select
    kept.tenant_id,
    kept.campaign_id,
    kept.transition_id,
    kept.from_status,
    kept.to_status,
    kept.occurred_at,
    (kept.occurred_at at time zone tenants.timezone)::date as date,
    kept.ingested_at,
    kept.source_hash
from kept
inner join tenants
    on kept.tenant_id = tenants.tenant_id
