{#-
    Which rows of a relation the current refresh recomputes: all rows of the dates it replaces
    whole, and further rows by their keys.

    family     whose scope it is: 'outreach' or 'support'
    relation   has tenant_id, date and the key columns
    keys       key columns besides tenant_id and date
    layers     ledgers whose touches count, such as 'activity' and 'transition'
    changes    table of changes whose keys count, if any
-#}
{% macro rows_in_scope(family, relation, keys, layers, changes=none) -%}
    {{ rows_on_dates(family, relation) }}
    {%- if layers or changes %}
    union all
    select rows_of.*
    from {{ relation }} as rows_of
    inner join ({{ keys_in_scope(family, keys, layers, changes) }}) as keys_in_scope
        on
            rows_of.tenant_id = keys_in_scope.tenant_id
            and rows_of.date = keys_in_scope.date
            {%- for key in keys %}
            and rows_of.{{ key }} = keys_in_scope.{{ key }}
            {%- endfor %}
    {%- endif %}
{%- endmacro %}


{#- Rows of the dates that the current refresh replaces whole. -#}
{% macro rows_on_dates(family, relation) -%}
    select rows_of.*
    from {{ relation }} as rows_of
    inner join {{ source('ops', family ~ '_scope') }} as scope
        on
            not isempty(scope.dates)
            and rows_of.tenant_id = scope.tenant_id
            and rows_of.date >= scope.date_from
            and rows_of.date < scope.date_to
            and scope.dates @> rows_of.date
{%- endmacro %}


{#- Keys on other dates that ledgers touched or changes name, each once. -#}
{% macro keys_in_scope(family, keys, layers, changes=none) -%}
    {%- set columns = ['tenant_id', 'date'] + keys -%}
    {%- if layers %}
    select distinct {{ columns_of('touched', columns) }}
    from {{ source('ops', family ~ '_touched') }} as touched
    inner join {{ source('ops', family ~ '_scope') }} as scope
        on touched.tenant_id = scope.tenant_id
    where
        touched.layer in ('{{ layers | join("', '") }}')
        and not scope.dates @> touched.date
    {%- endif %}
    {%- if layers and changes %}
    union
    {%- endif %}
    {%- if changes %}
    select distinct {{ columns_of('changed', columns) }}
    from ({{ new_changes(family, changes) }}) as changed
    {%- endif %}
{%- endmacro %}


{#- Changes that this rollup has not added up yet, but for the dates it recomputes whole. -#}
{% macro new_changes(family, changes) -%}
    select changed.*
    from {{ source('ops', changes) }} as changed
    inner join {{ source('ops', family ~ '_scope') }} as scope
        on changed.tenant_id = scope.tenant_id
    left join {{ source('ops', family ~ '_change_applied') }} as applied
        on
            changed.tenant_id = applied.tenant_id
            and applied.model = '{{ this.identifier }}'
    where
        changed.seq > coalesce(applied.seq, 0)
        and not scope.dates @> changed.date
{%- endmacro %}
