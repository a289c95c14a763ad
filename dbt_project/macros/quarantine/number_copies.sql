{#-
    Numbers rows that have one id, 1 first. A source table with a unique key on its id has no such
    rows, and nothing is sorted; a view over the application's tables may.

    source_name, table_name   where the rows come from
    same                      columns that rows with one id share
    order                     columns by which the first of them is chosen
-#}
{% macro number_copies(source_name, table_name, same, order) -%}
    {%- if is_unit_test() or has_unique_id(source(source_name, table_name)) -%}
        1
    {%- else -%}
        row_number() over (partition by {{ same | join(', ') }} order by {{ order | join(', ') }})
    {%- endif -%}
{%- endmacro %}


{% macro has_unique_id(relation) -%}
    {%- if not execute -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set found = run_query(
        "select exists (select from pg_catalog.pg_index as i"
        ~ " inner join pg_catalog.pg_attribute as a on i.indrelid = a.attrelid and i.indkey[0] = a.attnum"
        ~ " where i.indrelid = to_regclass('" ~ relation ~ "') and a.attname = 'id' and a.attnotnull"
        ~ " and i.indisunique and i.indisvalid and i.indnkeyatts = 1 and i.indpred is null) as found"
    ) -%}
    {{ return(found.columns[0].values()[0]) }}
{%- endmacro %}
