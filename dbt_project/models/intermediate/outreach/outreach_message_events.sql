{{ config(materialized='view') }}

-- Tenant, campaign, contact and channel of an event are those of its message. No WITH, as staging.
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
from {{ ref('stg_outreach__events') }} as events
inner join {{ ref('stg_outreach__messages') }} as messages
    on events.message_id = messages.message_id
