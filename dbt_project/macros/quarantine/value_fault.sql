{#-
    Why the values of an event cannot be added up, or NULL: NaN, infinity, and what would overflow
    a sum are no seconds (1e15 are thirty million years).
-#}
{% macro value_fault(value, business_value) -%}
    case
        when {{ value }} not between -1e15 and 1e15 or {{ business_value }} not between -1e15 and 1e15
            then 'impossible_value'
    end
{%- endmacro %}
