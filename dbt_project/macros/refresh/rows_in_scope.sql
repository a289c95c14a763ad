{#-
    Rows of a relation that the current refresh recomputes: all rows of the dates it replaces
    whole, and the rows whose keys were touched by a change in a ledger.

    family     whose scope it is: 'outreach' or 'support'
    relation   has tenant_id, date and the key columns
    keys       key columns besides tenant_id and date
    layers     whose touches count, such as 'activity' and 'transition'
-#}
{% macro rows_in_scope(family, relation, keys, layers) -%}
    {%- set scope = source('ops', family ~ '_scope') -%}
    select rows_of.*
    from {{ relation }} as rows_of
    inner join {{ scope }} as scope
        on
            rows_of.tenant_id = scope.tenant_id
            and rows_of.date >= scope.date_from
            and rows_of.date < scope.date_to
            and scope.dates @> rows_of.date
    union all
    select rows_of.*
    from {{ relation }} as rows_of
    inner join (
        select distinct
            touched.tenant_id,
            touched.date
            {%- for key in keys %},
            touched.{{ key }}
            {%- endfor %}
        from {{ source('ops', family ~ '_touched') }} as touched
        inner join {{ scope }} as scope
            on touched.tenant_id = scope.tenant_id
        where
            touched.layer in ('{{ layers | join("', '") }}')
            and not scope.dates @> touched.date
    ) as touched_keys
        on
            rows_of.tenant_id = touched_keys.tenant_id
            and rows_of.date = touched_keys.date
            {%- for key in keys %}
            and rows_of.{{ key }} = touched_keys.{{ key }}
            {%- endfor %}
{%- endmacro %}
