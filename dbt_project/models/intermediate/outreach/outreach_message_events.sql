{{ config(materialized='view') }}

-- Tenant, campaign, contact and channel of an event are those of its message.
with events as (
    select * from {{ ref('stg_outreach__events') }}
),

messages as (
    select * from {{ ref('stg_outreach__messages') }}
)

select
    messages.tenant_id,
    messages.campaign_id,
    messages.contact_id,
    messages.channel,
    events.*,
    {{ row_hash([
        'events.source_hash', 'messages.tenant_id', 'messages.campaign_id', 'messages.contact_id',
        'messages.channel'
    ]) }} as row_hash
from events
inner join messages
    on events.message_id = messages.message_id
