{#-
    The conversations that this refresh recomputes, of accounts with a reporting zone: those without
    have no rollups, so their rows go. Events and messages without a conversation are subjects of
    their own (event_id, message_id).
-#}
{% macro support_subjects() -%}
    select
        subjects.tenant_id,
        subjects.key as conversation_key,
        tenants.account_id,
        tenants.timezone,
        case when subjects.key ~ '^[0-9]+$' then subjects.key::bigint end as conversation_id,
        case when subjects.key like 'event/%' then substr(subjects.key, 7)::bigint end as event_id,
        case when subjects.key like 'message/%' then substr(subjects.key, 9)::bigint end as message_id
    from {{ ref('support_scope_subjects') }} as subjects
    inner join {{ ref('stg_support__tenants') }} as tenants
        on subjects.tenant_id = tenants.tenant_id
    where
        subjects.refresh_id = ops.current_refresh_id()
        and tenants.timezone is not null
{%- endmacro %}
