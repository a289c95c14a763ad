{#-
    Transitions, each with a verdict: a time that can be, and of copies the one that came in first
    (a retried job logs its step twice; those of '__erased__' are of many campaigns).
-#}
{% macro outreach_judged_transitions(transitions) -%}
    with faulty as (
        select
            transitions.*,
            {{ number_copies(
                'outreach', 'campaign_transitions',
                ['tenant_id', 'campaign_id', 'transition_id'],
                ['ingested_at', 'occurred_at', 'to_status', 'reason_hash']
            ) }} as row_copy,
            {{ time_fault('occurred_at', 'ingested_at') }} as fault
        from {{ transitions }} as transitions
    ),

    numbered as (
        select
            faulty.*,
            row_number() over (
                partition by
                    tenant_id, campaign_id, reason_hash, occurred_at, from_status, to_status,
                    case when campaign_id = '__erased__' then transition_id end,
                    row_copy > 1, fault is null
                order by ingested_at, transition_id collate "C"
            ) as copy
        from faulty
    )

    select
        tenant_id,
        campaign_id,
        case
            when row_copy > 1 then transition_id || ' copy ' || row_copy
            else transition_id
        end as transition_id,
        case
            when row_copy > 1 then 'duplicate'
            when fault is not null then 'quarantined'
            when copy > 1 then 'duplicate'
            else 'counted'
        end as verdict,
        case when row_copy = 1 then fault end as reason,
        from_status,
        to_status,
        -- of a row without a time, that there is none
        coalesce(occurred_at, 'infinity') as occurred_at,
        {{ filed_at('occurred_at', 'ingested_at') }} as filed_at,
        ingested_at,
        source_hash,
        reason_hash,
        contact_id,
        is_source_gone
    from numbered
{%- endmacro %}
