select distinct
    conversations.account_id::text as tenant_id,
    conversations.account_id,
    conversations.id as conversation_id,
    tags.name::text as label_title
from {{ source('support', 'taggings') }} as taggings
inner join {{ source('support', 'tags') }} as tags
    on taggings.tag_id = tags.id
inner join {{ source('support', 'conversations') }} as conversations
    on taggings.taggable_id = conversations.id
where taggings.context = 'labels' and taggings.taggable_type = 'Conversation'
