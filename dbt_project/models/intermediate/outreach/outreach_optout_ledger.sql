{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'optout_id'],
    subject='optouts',
    layer='activity',
    touched_columns=['campaign_id', 'contact_id', 'channel', 'hour'],
    pre_hook="{{ enter_refresh('outreach') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}
{%- set columns = {
    'tenant_id': 'text', 'optout_id': 'text', 'occurred_at': 'timestamptz', 'campaign_id': 'text',
    'contact_id': 'text', 'channel': 'text', 'is_machine': 'boolean', 'is_listed': 'boolean',
    'evidence_ids': 'jsonb'
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

episodes as (
    {{ outreach_optout_episodes('subjects', 'former') }}
)

select
    episodes.tenant_id,
    episodes.optout_id,
    'optout' as kind,
    episodes.occurred_at,
    (episodes.occurred_at at time zone tenants.timezone)::date as date,
    date_trunc('hour', episodes.occurred_at, tenants.timezone) as hour,
    episodes.campaign_id,
    episodes.contact_id,
    episodes.channel,
    episodes.is_machine,
    episodes.is_listed,
    episodes.evidence_ids,
    episodes.is_source_gone
from episodes
inner join tenants
    on episodes.tenant_id = tenants.tenant_id
