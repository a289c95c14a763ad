{#-
    Rows of a rollup that a data test looks at: the partitions of the running refresh, or all rows
    for `dbt test` by itself.

    family     whose scope it is: 'outreach' or 'support'
    relation   has tenant_id and date
    layers     whose touches count, such as 'activity'
-#}
{% macro rows_to_test(family, relation, layers) -%}
    {%- if execute and flags.WHICH != 'build' -%}
        select * from {{ relation }}
    {%- else -%}
        {%- if execute -%}
            {#- The session of a test may have run no model before, so it knows no refresh yet. -#}
            {%- do run_query("select ops.join_refresh('" ~ invocation_id ~ "')") -%}
        {%- endif -%}
        {{ rows_in_scope(family, relation, [], layers) }}
    {%- endif -%}
{%- endmacro %}
