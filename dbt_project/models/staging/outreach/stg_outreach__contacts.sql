select
    contacts.id as contact_id,
    leads.tenant_id,
    nullif(lower(trim(contacts.email)), '') as address
from {{ source('outreach', 'lead_point_of_contacts') }} as contacts
inner join {{ source('outreach', 'leads') }} as leads
    on contacts.lead_id = leads.id
where {{ is_sound([key_fault(['contacts.id'])]) }}
