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
{%- set columns = {
    'tenant_id': 'text', 'campaign_id': 'text', 'contact_id': 'text', 'transition_id': 'text',
    'from_status': 'text', 'to_status': 'text', 'reason_hash': 'bigint',
    'occurred_at': 'timestamptz', 'ingested_at': 'timestamptz', 'source_hash': 'bigint',
    'verdict': 'text'
} %}

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

-- On its own, so that a distributed ledger can be read.
former as materialized (
    select ledger.*
    from ({{ former_rows(columns) }}) as ledger
    inner join subjects
        on
            ledger.tenant_id = subjects.tenant_id
            and ledger.campaign_id = subjects.campaign_id
    where
        ({{ delete_policy() }} = 'freeze' or subjects.campaign_id = '__erased__')
        and ledger.verdict = 'counted'
),

transitions as (
    select
        transitions.tenant_id,
        transitions.campaign_id,
        coalesce(campaigns.contact_id, '__none__') as contact_id,
        transitions.transition_id,
        transitions.from_status,
        transitions.to_status,
        hashtextextended(transitions.reason, 0) as reason_hash,
        transitions.occurred_at,
        transitions.ingested_at,
        transitions.source_hash,
        false as is_source_gone
    from {{ ref('stg_outreach__transitions') }} as transitions
    inner join subjects
        on
            transitions.tenant_id = subjects.tenant_id
            and transitions.campaign_id = subjects.campaign_id
    left join {{ ref('stg_outreach__campaigns') }} as campaigns
        on
            transitions.campaign_id = campaigns.campaign_id
            and transitions.tenant_id = campaigns.tenant_id

    union all

    -- What was erased stays under every policy: nothing but this ledger knows of it.
    select
        ledger.tenant_id,
        ledger.campaign_id,
        ledger.contact_id,
        ledger.transition_id,
        ledger.from_status,
        ledger.to_status,
        ledger.reason_hash,
        ledger.occurred_at,
        ledger.ingested_at,
        ledger.source_hash,
        true as is_source_gone
    from former as ledger
    where
        not exists (
            select 1 from {{ ref('stg_outreach__transitions') }} as present
            where present.transition_id = ledger.transition_id
        )
),

judged as (
    {{ outreach_judged_transitions('transitions') }}
)

select
    judged.tenant_id,
    judged.campaign_id,
    judged.contact_id,
    judged.transition_id,
    judged.verdict,
    judged.reason,
    judged.from_status,
    judged.to_status,
    judged.occurred_at,
    (judged.filed_at at time zone tenants.timezone)::date as date,
    judged.ingested_at,
    judged.source_hash,
    judged.reason_hash,
    judged.is_source_gone
from judged
inner join tenants
    on judged.tenant_id = tenants.tenant_id
