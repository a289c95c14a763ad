{#-
    Judged events with what the metrics ask of them: first of its kind in the message, first human
    open, first engagement (open or click), made by a machine. The rules are in seed machine_rules;
    of an event that is gone from the source (`is_source_gone`) they said all they can.
-#}
{% macro outreach_event_features(judged_events) -%}
    with click_bursts as (
        select
            tenant_id,
            message_id,
            ip,
            user_agent,
            occurred_at
        from {{ judged_events }}
        where verdict = 'counted' and kind = 'click' and not is_source_gone
        group by tenant_id, message_id, ip, user_agent, occurred_at
        having count(distinct url) >= (
            select min(value::int) from {{ ref('machine_rules') }}
            where applies_to = 'click' and kind = 'distinct_urls_per_second'
        )
    ),

    with_delivery as (
        select
            judged.*,
            min(occurred_at) filter (where kind = 'delivered' and verdict = 'counted') over (
                partition by tenant_id, message_id
            ) as first_delivered_at
        from {{ judged_events }} as judged
    ),

    with_machine as (
        select
            events.*,
            events.verdict = 'counted'
            and case when events.is_source_gone then events.is_declared_machine else
                (events.kind = 'open' and events.is_declared_machine)
                or (events.kind = 'click' and bursts.message_id is not null)
                or (
                    events.kind in ('open', 'click')
                    and exists (
                        select 1
                        from {{ ref('machine_rules') }} as rules
                        where
                            rules.applies_to = events.kind
                            and case rules.kind
                                when 'user_agent'
                                    then position(lower(rules.value) in lower(events.user_agent)) > 0
                                when 'seconds_after_delivered'
                                    then events.occurred_at
                                        <= events.first_delivered_at + make_interval(secs => rules.value::int)
                            end
                    )
                )
            end as is_machine
        from with_delivery as events
        left join click_bursts as bursts
            on
                events.kind = 'click'
                and events.tenant_id = bursts.tenant_id
                and events.message_id = bursts.message_id
                and events.ip = bursts.ip
                and events.user_agent = bursts.user_agent
                and events.occurred_at = bursts.occurred_at
    )

    select
        tenant_id,
        message_id,
        case
            when row_copy > 1 then event_id || ' copy ' || row_copy
            -- what the sending itself is called
            when event_id = 'message' then 'event message'
            else event_id
        end as activity_id,
        verdict,
        case when verdict = 'quarantined' then fault end as reason,
        coalesce(kind, 'unknown') as kind,
        occurred_at,
        ingested_at,
        campaign_id,
        contact_id,
        channel,
        copy_of,
        is_source_gone,
        is_machine,
        verdict = 'counted' and kind = 'bounce' and is_block as is_block,
        verdict = 'counted' and row_number() over (
            partition by tenant_id, message_id, verdict, kind
            order by occurred_at, ingested_at, event_id collate "C"
        ) = 1 as is_first,
        verdict = 'counted' and kind = 'open' and not is_machine and row_number() over (
            partition by tenant_id, message_id, verdict, kind, is_machine
            order by occurred_at, ingested_at, event_id collate "C"
        ) = 1 as is_first_human,
        verdict = 'counted' and kind in ('open', 'click') and row_number() over (
            partition by tenant_id, message_id, verdict, kind in ('open', 'click')
            order by occurred_at, ingested_at, event_id collate "C"
        ) = 1 as is_first_engagement,
        source_hash,
        copy_key
    from with_machine
{%- endmacro %}
