{#-
    A source time as timestamptz. Shipped columns are UTC wall clock without zone; a source that
    has been changed to timestamptz reads the same, because a refresh pins its session to UTC.
-#}
{% macro to_utc(column) -%}
    ({{ column }}::timestamp at time zone 'UTC')
{%- endmacro %}
