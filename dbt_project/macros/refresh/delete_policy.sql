{#-
    What deleted source rows do: 'restate' (ledgers follow the source), 'freeze' (ledgers keep what
    they had) or 'erase' (they keep it under the key '__erased__').
-#}
{% macro delete_policy() -%}
    (select coalesce(max(value), 'restate') from {{ source('ops', 'config') }} where name = 'delete_policy')
{%- endmacro %}


{#-
    Rows that the ledger of this model has, some of which may be kept; none before it is there.

    columns   name and type of each column
-#}
{% macro former_rows(columns) -%}
    {#- a unit test has no ledger -#}
    {%- if this is not none and is_incremental() -%}
        {#- The deployment that brings a new column compiles this before the table has it. -#}
        {%- set there = adapter.get_columns_in_relation(this) | map(attribute='name') | list
            if env_var('ROLLUPS_DEPLOY', '') == '1' else columns | list -%}
        select
        {%- for column, type in columns.items() %}
            {{ column if column in there else 'null::' ~ type ~ ' as ' ~ column }}{{ ',' if not loop.last }}
        {%- endfor %}
        from {{ this }}
    {%- else -%}
        select
        {%- for column, type in columns.items() %} null::{{ type }} as {{ column }}{{ ',' if not loop.last }}{% endfor %}
        where false
    {%- endif -%}
{%- endmacro %}
