{#-
    A source time as timestamptz. Shipped columns are UTC wall clock without zone; a source that
    has been changed to timestamptz reads the same, because a refresh pins its session to UTC.

    A time that no calendar day of ours can hold is read as an infinite one: a zone's offset or a
    day added to it would overflow, and one row would stop the refresh of every tenant.
-#}
{% macro to_utc(column) -%}
    case
        when {{ column }} < '0002-01-01' then '-infinity'::timestamptz
        when {{ column }} >= '9999-01-01' then 'infinity'::timestamptz
        else {{ column }}::timestamp at time zone 'UTC'
    end
{%- endmacro %}
