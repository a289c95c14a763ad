{#-
    Transitions that count: a time that can be, and of copies the one that came in first (a retried
    job logs its step twice; those of '__erased__' are of many campaigns).
-#}
{% macro outreach_kept_transitions(transitions) -%}
    select *
    from (
        select
            transitions.*,
            row_number() over (
                partition by
                    tenant_id,
                    campaign_id,
                    reason_hash,
                    occurred_at,
                    from_status,
                    to_status,
                    case when campaign_id = '__erased__' then transition_id end
                order by ingested_at, transition_id collate "C"
            ) as copy,
            {{ outreach_time_fault('occurred_at', 'ingested_at') }} as reason_refused
        from {{ transitions }} as transitions
    ) as numbered
    where copy = 1 and reason_refused is null
{%- endmacro %}
