select
    id as campaign_id,
    tenant_id,
    contact_id,
    channel::text as channel,
    status::text as status,
    {{ to_utc('started_at') }} as started_at,
    {{ to_utc('completed_at') }} as completed_at
from {{ source('outreach', 'contact_campaigns') }}
where {{ is_sound([key_fault(['id'], ['contact_id'])]) }}
