{#- Why an activity's time cannot be right, or NULL. Both are timestamptz. -#}
{% macro outreach_time_fault(occurred_at, ingested_at) -%}
    case
        when {{ occurred_at }} < (select value::date from {{ source('ops', 'config') }} where name = 'min_event_date')::timestamp at time zone 'UTC'
            then 'before_min_event_date'
        when {{ occurred_at }} > {{ ingested_at }} + interval '1 day'
            then 'too_far_in_future'
    end
{%- endmacro %}
