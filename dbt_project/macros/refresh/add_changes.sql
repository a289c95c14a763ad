{#-
    Counts as the rollup has them plus what came and less what went since, for every key in `keys`.

    keys       rows with tenant_id, date and the key columns, each once
    key        key columns besides tenant_id and date
    changed    sums of the changes by these columns
    counts     names of the counts
-#}
{% macro add_changes(keys, key, changed, counts) -%}
    {%- set columns = ['tenant_id', 'date'] + key -%}
    {#- a deployment has no rollup before it is made -#}
    {%- set has_stored_rows = this is not none and is_incremental() -%}
    select
        {{ columns_of('keys_in_scope', columns) }},
        {%- for count in counts %}
        {% if has_stored_rows %}coalesce(stored.{{ count }}, 0) + {% endif -%}
        coalesce(changed.{{ count }}, 0) as {{ count }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ keys }} as keys_in_scope
    left join {{ changed }} as changed
        on {{ same_key('keys_in_scope', 'changed', columns) }}
    {%- if has_stored_rows %}
    left join {{ this }} as stored
        on {{ same_key('keys_in_scope', 'stored', columns) }}
    {%- endif %}
{%- endmacro %}


{#- Sums of changes, of which some take away, by name: each has the condition of what it counts. -#}
{% macro sum_changes(counts) -%}
    {%- for name, condition in counts.items() %}
    coalesce(sum(weight) filter (where {{ condition }}), 0) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#-
    Columns as they are stored (and `is_stored`), of the keys in `changed` that are not in `touched`:
    there something else has changed. Both are CTEs, so that a distributed table is joined with
    nothing but them.
-#}
{% macro stored_values(changed, touched, key, values) -%}
    {%- set columns = ['tenant_id', 'date'] + key -%}
    select
        {{ columns_of('changed', columns) }},
    {%- if this is not none and is_incremental() %}
        {{ columns_of('stored', values) }},
        true as is_stored
    from {{ changed }} as changed
    inner join {{ this }} as stored
        on {{ same_key('changed', 'stored', columns) }}
    where not exists (
        select 1
        from {{ touched }} as touched
        where {{ same_key('touched', 'changed', columns) }}
    )
    {%- else %}
        {%- for value in values %}
        null as {{ value }},
        {%- endfor %}
        true as is_stored
    from {{ changed }} as changed
    where false
    {%- endif %}
{%- endmacro %}
