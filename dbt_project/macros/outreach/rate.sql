{#-
    A share as an exact decimal with ten places, NULL where there is nothing to divide by.

    numerator, denominator   SQL expressions of whole numbers

    Example: rate('unique_opens', 'delivered')
-#}
{% macro rate(numerator, denominator) -%}
    (({{ numerator }})::numeric / nullif({{ denominator }}, 0))::numeric(20, 10)
{%- endmacro %}
