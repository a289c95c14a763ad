{#-
    Rows of a rollup that a data test looks at: the partitions of the running refresh, or all rows
    for `dbt test` by itself.

    relation   has tenant_id and date
    layers     whose touches count: 'activity', 'transition', 'message'
-#}
{% macro rows_to_test(relation, layers) -%}
    {%- if execute and flags.WHICH != 'build' -%}
        select * from {{ relation }}
    {%- else -%}
        {%- if execute -%}
            {#- The session of a test may have run no model before, so it knows no refresh yet. -#}
            {%- do run_query(
                "select set_config('rollups.refresh_id', coalesce(ops.current_refresh_id()::text, '"
                ~ invocation_id ~ "'), false)"
            ) -%}
        {%- endif -%}
        {{ rows_in_scope(relation, [], layers) }}
    {%- endif -%}
{%- endmacro %}
