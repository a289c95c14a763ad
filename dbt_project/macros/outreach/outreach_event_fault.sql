{#- Why an event of a kind that counts is quarantined, or NULL. -#}
{% macro outreach_event_fault(events) -%}
    case
        when {{ events }}.event_tenant_id is null then 'no_tenant'
        when {{ events }}.event_tenant_id <> {{ events }}.tenant_id then 'tenant_mismatch'
        when {{ events }}.kind is null then 'unknown_type'
        when not {{ events }}.is_readable then 'unreadable_json'
        else {{ time_fault(events ~ '.occurred_at', events ~ '.ingested_at') }}
    end
{%- endmacro %}
