{{ config(
    materialized='incremental',
    unique_key=['tenant_id', 'conversation_key'],
    subject='conversation',
    subject_column='conversation_key',
    layer='conversation',
    touched_columns=[],
    pre_hook="{{ enter_refresh('support') }}",
    indexes=[{'columns': ['tenant_id', 'date']}]
) }}

with subjects as (
    {{ support_subjects() }}
),

conversations as (
    {{ support_conversations() }}
)

select
    subjects.tenant_id,
    subjects.conversation_key,
    conversations.occurred_at,
    (conversations.occurred_at at time zone subjects.timezone)::date as date,
    conversations.inbox_id::bigint as inbox_id,
    conversations.assignee_id::bigint as assignee_id,
    conversations.team_id::bigint as team_id,
    conversations.source_hash
from subjects
inner join conversations
    on
        subjects.conversation_id = conversations.conversation_id
        and subjects.account_id = conversations.account_id
