{#-
    Whether a row has none of these faults. An `is null` of an expression the planner takes for one
    row in 200 and plans accordingly; of this it expects nearly all.
-#}
{% macro is_sound(faults) -%}
    case when coalesce({{ faults | join(', ') }}) is null then 1 else 0 end <> 0
{%- endmacro %}
