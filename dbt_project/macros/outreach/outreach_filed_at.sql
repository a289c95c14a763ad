{#-
    When an activity happened; a time that cannot be is filed under the time it came in. What
    proves that a message was sent may have come long after the message's row.
-#}
{% macro outreach_filed_at(kind, occurred_at, ingested_at) -%}
    case
        when {{ kind }} = 'implied_send' then {{ occurred_at }}
        else {{ filed_at(occurred_at, ingested_at) }}
    end
{%- endmacro %}
