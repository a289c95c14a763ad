{#-
    What an event or a message says, and its conversation: `rows_of` left joined to `conversations`.

    further   columns that say more, such as what the rules make of the row
-#}
{% macro support_row_hash(rows_of, further=[]) -%}
    {{ row_hash([
        rows_of ~ '.source_hash', 'conversations.conversation_id', 'conversations.occurred_at',
        'conversations.inbox_id', 'conversations.team_id'
    ] + further) }}
{%- endmacro %}
