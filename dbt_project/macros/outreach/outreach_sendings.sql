{#-
    What the message row itself says: it was sent, it was sent although its row does not say so
    (a crash between the provider's accept and the update), it failed, or none of it (yet).
-#}
{% macro outreach_sendings(messages, event_summary) -%}
    with with_events as (
        select
            messages.*,
            events.first_proof_of_sending_at,
            coalesce(events.counted_events, 0) > 0
            or exists (
                select 1
                from {{ ref('provider_capabilities') }} as providers
                where
                    providers.reports_events
                    and messages.provider_message_id ~ providers.provider_message_id_pattern
            ) as is_trackable
        from {{ messages }} as messages
        left join {{ event_summary }} as events
            on
                messages.tenant_id = events.tenant_id
                and messages.message_id = events.message_id
    ),

    typed as (
        select
            *,
            case
                when state = 'sent' then 'send'
                when first_proof_of_sending_at is not null then 'implied_send'
                when state = 'failed' then 'failure'
                else 'unsent'
            end as kind,
            case
                when state = 'sent' then sent_at
                when first_proof_of_sending_at is not null then first_proof_of_sending_at
                when state = 'failed' then failed_at
                else ingested_at
            end as occurred_at
        from with_events
    )

    select
        tenant_id,
        message_id,
        case when row_copy > 1 then 'message copy ' || row_copy else 'message' end as activity_id,
        kind,
        occurred_at,
        ingested_at,
        campaign_id,
        contact_id,
        channel,
        case
            when kind in ('send', 'failure') then {{ time_fault('occurred_at', 'ingested_at') }}
        end as reason,
        is_trackable,
        row_copy,
        source_hash
    from typed
{%- endmacro %}
