{#- When an activity happened; a time that cannot be is filed under the time it came in. -#}
{% macro outreach_filed_at(reason, occurred_at, ingested_at) -%}
    case
        when {{ reason }} in ('before_min_event_date', 'too_far_in_future') then {{ ingested_at }}
        else {{ occurred_at }}
    end
{%- endmacro %}
