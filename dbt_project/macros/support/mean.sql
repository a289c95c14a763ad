{#-
    An average as an exact decimal with ten places, NULL of nothing.

    of   name of what is averaged: columns <of>_sum and <of>_count

    Example: mean('reply_time')
-#}
{% macro mean(of) -%}
    round({{ of }}_sum / nullif({{ of }}_count, 0), 10)
{%- endmacro %}
