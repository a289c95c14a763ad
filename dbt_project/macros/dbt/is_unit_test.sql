{#- Whether this is compiled for one of dbt's unit tests: it gives all rows itself and has no source. -#}
{% macro is_unit_test() -%}
    {{ return(model is defined and model.resource_type == 'unit_test') }}
{%- endmacro %}
