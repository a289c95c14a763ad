{#- Duplicates and opt-outs are few: indexes of them alone find them among all other activities. -#}
{% macro index_activities() -%}
    {%- if not is_incremental() or env_var('ROLLUPS_DEPLOY', '') == '1' -%}
        create index if not exists outreach_activity_ledger_copies
        on {{ this }} (tenant_id, copy_of) where copy_of is not null;
        -- with all that is asked of them: read from their rows, they would be a page each
        drop index if exists {{ this.schema }}.outreach_activity_ledger_optouts;
        create index if not exists outreach_activity_ledger_optouts_of_contacts
        on {{ this }} (tenant_id, message_id) include (contact_id, campaign_id)
        where kind in ('unsubscribe', 'resubscribe')
    {%- endif -%}
{%- endmacro %}
