select distinct
    conversations.tenant_id,
    conversations.account_id,
    conversations.conversation_id,
    tags.name::text as label_title
from {{ source('support', 'taggings') }} as taggings
inner join {{ source('support', 'tags') }} as tags
    on taggings.tag_id = tags.id
-- a conversation in quarantine has no labels, as it has no team
inner join {{ ref('stg_support__conversations') }} as conversations
    on taggings.taggable_id = conversations.conversation_id
where taggings.context = 'labels' and taggings.taggable_type = 'Conversation'
