{#-
    Names of the events that count. `rule_hash` stands for what the registry makes of one: an event
    whose rule has changed differs from itself, so its rollups are worked out again.
-#}
{% macro support_counted_events() -%}
    select
        event_name,
        bit_xor({{ row_hash(['rollup_metric', 'payload', 'raw_count_strategy']) }}) as rule_hash
    from {{ ref('metric_registry') }}
    group by event_name
{%- endmacro %}
