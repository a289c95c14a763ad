{#-
    A column that a source table need not have: its value, or NULL. Decided when the staging view
    is deployed; deploy again after the column appears.

    Example: optional_column('leads', 'outreach', 'leads', 'name', 'text')
-#}
{% macro optional_column(alias, source_name, table_name, column, type) -%}
    {%- set relation = source(source_name, table_name) -%}
    {%- set found = adapter.get_columns_in_relation(relation) if execute else [] -%}
    {%- if column in found | map(attribute='name') -%}
        {{ alias }}.{{ column }}::{{ type }}
    {%- else -%}
        null::{{ type }}
    {%- endif -%}
{%- endmacro %}
