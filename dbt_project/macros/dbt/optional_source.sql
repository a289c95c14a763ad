{#-
    A source table that need not exist: its rows, or none with the given columns and types.
    Decided when the staging view is deployed; deploy again after the table appears.
-#}
{% macro optional_source(source_name, table_name, columns) -%}
    {%- set relation = source(source_name, table_name) -%}
    {%- if execute and load_relation(relation) is none -%}
        select
            {%- for column, type in columns.items() %}
            null::{{ type }} as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        where false
    {%- else -%}
        select
            {%- for column in columns %}
            {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ relation }}
    {%- endif -%}
{%- endmacro %}
