{#-
    Rows of a rollup that a data test looks at: what the running refresh has written, or all rows for
    `dbt test` by itself. Without layers and changes these are the dates it has replaced whole.

    family     whose scope it is: 'outreach' or 'support'
    relation   has tenant_id, date and the key columns
    keys       key columns besides tenant_id and date
    layers     whose touches count, such as 'activity'
    changes    table of changes whose keys count, if any
-#}
{% macro rows_to_test(family, relation, keys=[], layers=[], changes=none) -%}
    {%- if execute and flags.WHICH != 'build' -%}
        select * from {{ relation }}
    {%- else -%}
        {%- if execute -%}
            {#- The session of a test may have run no model before, so it knows no refresh yet. -#}
            {%- do run_query("select ops.join_refresh('" ~ invocation_id ~ "')") -%}
        {%- endif -%}
        {{ rows_in_scope(family, relation, keys, layers, changes) }}
    {%- endif -%}
{%- endmacro %}
