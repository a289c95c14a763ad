{#- Conversations, one row an id and account also where the source has several. -#}
{% macro support_conversations() -%}
    {%- set conversations = ref('stg_support__conversations') -%}
    select
    {%- if not has_unique_id(source('support', 'conversations')) %} distinct on (account_id, conversation_id)
    {%- endif %} *
    from {{ conversations }}
    {%- if not has_unique_id(source('support', 'conversations')) %}
    order by account_id, conversation_id, ingested_at, occurred_at
    {%- endif %}
{%- endmacro %}
