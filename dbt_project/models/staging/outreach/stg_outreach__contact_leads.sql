select
    contacts.id as contact_id,
    leads.tenant_id,
    leads.id as lead_id,
    {{ optional_column('leads', 'outreach', 'leads', 'name', 'text') }} as lead_name
from {{ source('outreach', 'lead_point_of_contacts') }} as contacts
inner join {{ source('outreach', 'leads') }} as leads
    on contacts.lead_id = leads.id
