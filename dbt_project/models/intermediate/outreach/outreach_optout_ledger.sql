{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'optout_id'],
    subject='optouts',
    layer='activity',
    touched_columns=[],
    changes='outreach_activity_change',
    change_columns=[
        'tenant_id', 'date', 'hour', 'campaign_id', 'contact_id', 'channel', 'kind', 'is_machine'
    ],
    pre_hook=["{{ enter_refresh('outreach') }}", "select ops.outreach_add_optouts()"],
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}
{%- set columns = {
    'tenant_id': 'text', 'optout_id': 'text', 'occurred_at': 'timestamptz', 'campaign_id': 'text',
    'contact_id': 'text', 'channel': 'text', 'is_machine': 'boolean', 'source_table': 'text',
    'verdict': 'text', 'evidence_ids': 'jsonb'
} %}

with subjects as (
    select distinct tenant_id
    from {{ ref('outreach_scope_subjects') }}
    where refresh_id = ops.current_refresh_id() and grain = 'optouts'
),

tenants as (
    select * from {{ ref('stg_outreach__tenants') }}
),

former as (
    {{ former_rows(columns) }}
),

judged as (
    {{ outreach_judged_optouts('subjects', 'former') }}
)

select
    judged.tenant_id,
    judged.optout_id,
    judged.source_table,
    judged.verdict,
    judged.reason,
    judged.kind,
    judged.occurred_at,
    (judged.filed_at at time zone tenants.timezone)::date as date,
    date_trunc('hour', judged.occurred_at, tenants.timezone) as hour,
    judged.campaign_id,
    judged.contact_id,
    judged.channel,
    judged.is_machine,
    judged.evidence_ids,
    judged.is_source_gone
from judged
inner join tenants
    on judged.tenant_id = tenants.tenant_id
