{{ config(schema='intermediate') }}

-- Every counted activity with 1 under each metric that counts it: what the report functions read
-- for hours and for parts of days.
with activities as (
    select
        tenant_id,
        campaign_id,
        contact_id,
        channel,
        kind,
        occurred_at,
        date,
        is_machine,
        is_first,
        is_first_human,
        is_first_engagement,
        is_block,
        is_trackable
    from {{ ref('outreach_activity_ledger') }}
    where verdict = 'counted'

    union all

    select
        tenant_id,
        campaign_id,
        contact_id,
        channel,
        kind,
        occurred_at,
        date,
        is_machine,
        false as is_first,
        false as is_first_human,
        false as is_first_engagement,
        false as is_block,
        false as is_trackable
    from {{ ref('outreach_optout_ledger') }}
    where verdict = 'counted'
)

select
    tenant_id,
    campaign_id,
    contact_id,
    channel,
    occurred_at,
    date,
    {%- for metric, counts in outreach_metrics().items() %}
    ({{ counts }})::integer as {{ metric }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from activities
