{#- What an opt-out episode says. -#}
{% macro outreach_optout_hash() -%}
    {{ row_hash(['optout_id', 'occurred_at', 'campaign_id', 'contact_id', 'channel', 'is_machine']) }}
{%- endmacro %}
