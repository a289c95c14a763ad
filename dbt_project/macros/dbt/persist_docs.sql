{#-
    Comments are written when a relation is created and at every deploy (`rollups init`), not by
    the hourly refresh: each would lock the table's catalogue rows again for the same words.
-#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if not is_incremental() or env_var('ROLLUPS_DEPLOY', '') == '1' -%}
        {{ return(default__persist_docs(relation, model, for_relation, for_columns)) }}
    {%- endif -%}
{%- endmacro %}
