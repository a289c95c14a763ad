{#- Why the time of a row cannot be right, or NULL. Both are timestamptz. -#}
{% macro time_fault(occurred_at, ingested_at) -%}
    case
        when {{ occurred_at }} is null
            then 'no_time'
        when {{ occurred_at }} < {{ min_event_at() }}
            then 'before_min_event_date'
        when {{ ingested_at }} is null or not isfinite({{ ingested_at }})
            then 'no_ingest_time'
        when {{ occurred_at }} > {{ ingested_at }} + interval '1 day'
            then 'too_far_in_future'
    end
{%- endmacro %}


{#- The instant by whose day a row is filed: its own, or when it came in if that cannot be right. -#}
{% macro filed_at(occurred_at, ingested_at) -%}
    case
        when {{ occurred_at }} >= {{ min_event_at() }}
            and isfinite({{ occurred_at }})
            and (
                {{ occurred_at }} <= {{ ingested_at }} + interval '1 day'
                or not isfinite({{ ingested_at }})
            )
            then {{ occurred_at }}
        when isfinite({{ ingested_at }})
            then {{ ingested_at }}
        else {{ min_event_at() }}
    end
{%- endmacro %}


{% macro min_event_at() -%}
    (select value::date from {{ source('ops', 'config') }} where name = 'min_event_date')::timestamp at time zone 'UTC'
{%- endmacro %}
