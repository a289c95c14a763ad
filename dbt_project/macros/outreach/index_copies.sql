{#- Duplicates are few: an index of them alone finds the copies of an event that is erased. -#}
{% macro index_copies() -%}
    {%- if not is_incremental() or env_var('ROLLUPS_DEPLOY', '') == '1' -%}
        create index if not exists outreach_activity_ledger_copies
        on {{ this }} (tenant_id, copy_of) where copy_of is not null
    {%- endif -%}
{%- endmacro %}
