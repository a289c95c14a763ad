{#-
    Whether an event or a message names a conversation of another account, or NULL. One that is
    nowhere is none: it was deleted.
-#}
{% macro conversation_fault(rows) -%}
    case
        when {{ rows }}.conversation_id is not null
            and not exists (
                select 1 from {{ ref('stg_support__conversations') }} as own
                where
                    {{ rows }}.conversation_id = own.conversation_id
                    and {{ rows }}.account_id = own.account_id
            )
            and exists (
                select 1 from {{ ref('stg_support__conversations') }} as others
                where {{ rows }}.conversation_id = others.conversation_id
            )
            then 'tenant_mismatch'
    end
{%- endmacro %}
