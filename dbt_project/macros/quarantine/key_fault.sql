{#-
    Why a row can have no place in a ledger because of its ids, or NULL. What is too long fits in
    no index and would fail the insert of everybody's rows.

    required   SQL expressions of ids that a row cannot be without
    optional   SQL expressions of ids and other parts of keys that may be NULL
-#}
{% macro key_fault(required, optional=[]) -%}
    case
        when {{ required | join(' is null or ') }} is null then 'no_id'
        when
            {%- for id in required + optional %}
            octet_length({{ id }}) > 500{{ ' or' if not loop.last }}
            {%- endfor %}
            then 'id_too_long'
    end
{%- endmacro %}
