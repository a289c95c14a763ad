{#-
    Events of the messages in `subjects`, each with a verdict: counted, duplicate, ignored or
    quarantined (with a reason).

    Copies are found on two levels: the same provider event id within the tenant, then the same
    fingerprint within the message. The copy that came in first stays; `copy_of` names it.
-#}
{% macro judged_message_events(subjects, messages) -%}
    {%- set message_events = ref('outreach_message_events') -%}
    {%- if not is_unit_test() -%}
        {%- set all_events = ref('stg_outreach__events') -%}
        {%- set all_messages = ref('stg_outreach__messages') -%}
    {%- endif -%}
    with {% if not is_unit_test() and not has_unique_id(source('outreach', 'outbound_messages')) -%}
    -- Several messages may have one id: an event belongs to its own tenant's, and to one alone.
    message_events as (
        select
            messages.tenant_id,
            messages.campaign_id,
            messages.contact_id,
            messages.channel,
            events.*,
            {{ row_hash([
                'events.source_hash', 'messages.tenant_id', 'messages.campaign_id',
                'messages.contact_id', 'messages.channel'
            ]) }} as row_hash
        from {{ all_events }} as events
        inner join {{ messages }} as messages
            on events.message_id = messages.message_id
        where
            messages.row_copy = 1
            and (
                events.event_tenant_id = messages.tenant_id
                or not exists (
                    select 1 from {{ all_messages }} as owners
                    where
                        owners.message_id = events.message_id
                        and owners.tenant_id = events.event_tenant_id
                )
            )
    ),
    {%- set message_events = 'message_events' %}

    {% endif -%}
    scoped_events as (
        select
            message_events.*,
            {{ number_copies(
                'outreach', 'message_events',
                ['message_events.tenant_id', 'message_events.message_id', 'message_events.event_id'],
                ['message_events.ingested_at', 'message_events.occurred_at', 'message_events.kind']
            ) }} as row_copy
        from {{ message_events }} as message_events
        inner join {{ subjects }} as subjects
            on
                message_events.message_id = subjects.message_id
                and message_events.tenant_id = subjects.tenant_id
    ),

    faulty_events as (
        select
            scoped_events.*,
            {{ outreach_event_fault('scoped_events') }} as fault
        from scoped_events
    ),

    eligible_events as (
        select
            faulty_events.*,
            case
                when row_copy > 1 then 'duplicate'
                when kind = 'ignored' then 'ignored'
                when fault is not null then 'quarantined'
            end as early_verdict
        from faulty_events
    ),

    numbered_by_id as (
        select
            eligible_events.*,
            row_number() over same_id as id_copy,
            first_value(event_id) over same_id as id_original
        from eligible_events
        window same_id as (
            partition by
                tenant_id,
                early_verdict,
                coalesce(provider_event_id, event_id),
                provider_event_id is null
            order by ingested_at, event_id collate "C"
        )
    ),

    numbered_by_fingerprint as (
        select
            numbered_by_id.*,
            row_number() over same_fingerprint as fingerprint_copy,
            first_value(event_id) over same_fingerprint as fingerprint_original
        from numbered_by_id
        window same_fingerprint as (
            partition by
                tenant_id,
                message_id,
                early_verdict,
                id_copy > 1,
                kind,
                occurred_at,
                case when kind in ('open', 'click') then row(url, ip, user_agent)::text end
            order by ingested_at, event_id collate "C"
        )
    )

    select
        numbered_by_fingerprint.*,
        coalesce(
            early_verdict,
            case when id_copy > 1 or fingerprint_copy > 1 then 'duplicate' else 'counted' end
        ) as verdict,
        case
            when early_verdict is not null then null
            when id_copy > 1 then id_original
            when fingerprint_copy > 1 then fingerprint_original
        end as copy_of
    from numbered_by_fingerprint
{%- endmacro %}
