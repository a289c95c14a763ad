{#-
    The dimensions of the support rollups. To put after a `from`: each row once per dimension, as
    dimension_type and dimension_id, which is NULL where the row has no such entity.
-#}
{% macro by_dimension(account, agent, inbox, team) -%}
    cross join lateral (
        values
        ('account', {{ account }}::bigint),
        ('agent', {{ agent }}::bigint),
        ('inbox', {{ inbox }}::bigint),
        ('team', {{ team }}::bigint)
    ) as dimensions (dimension_type, dimension_id)
{%- endmacro %}
