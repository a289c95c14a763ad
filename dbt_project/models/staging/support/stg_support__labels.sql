select
    id as label_id,
    account_id::text as tenant_id,
    account_id,
    title::text as label_title
from {{ source('support', 'labels') }}
