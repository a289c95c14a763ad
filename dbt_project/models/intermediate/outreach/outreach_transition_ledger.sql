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
    {{ outreach_judged_transitions('transitions') }}
)

select
    judged.tenant_id,
    judged.campaign_id,
    judged.transition_id,
    judged.verdict,
    judged.reason,
    judged.from_status,
    judged.to_status,
    judged.occurred_at,
    (judged.filed_at at time zone tenants.timezone)::date as date,
    judged.ingested_at,
    judged.source_hash
from judged
inner join tenants
    on judged.tenant_id = tenants.tenant_id
