{#-
    What a row says, as one number. It depends on the values alone, not on how a session writes
    them as text. Rows have ids, so the XOR of their hashes stands for a set of them.
-#}
{% macro row_hash(columns) -%}
    hash_record_extended(row({{ columns | join(', ') }}), 0)
{%- endmacro %}
