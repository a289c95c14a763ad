{#-
    Opt-out episodes of the tenants in `subjects`: an address opts out once until it subscribes again,
    however often and in however many tables that is written down. And the rows of the opt-out list
    that begin no episode, with a verdict. No address is kept: it serves as partition key only.
-#}
{% macro outreach_judged_optouts(subjects) -%}
    with contacts as (
        select * from {{ ref('stg_outreach__contacts') }}
    ),

    campaigns as (
        select * from {{ ref('stg_outreach__campaigns') }}
    ),

    message_evidence as (
        select
            ledger.tenant_id,
            ledger.channel,
            coalesce(contacts.address, 'contact ' || ledger.contact_id) as address,
            ledger.occurred_at,
            ledger.kind = 'resubscribe' as is_return,
            ledger.activity_id as evidence_id,
            ledger.campaign_id,
            ledger.contact_id,
            ledger.occurred_at <= sendings.occurred_at + interval '120 seconds' as is_machine
        from {{ ref('outreach_activity_ledger') }} as ledger
        inner join {{ subjects }} as subjects
            on ledger.tenant_id = subjects.tenant_id
        left join contacts
            on
                ledger.contact_id = contacts.contact_id
                and ledger.tenant_id = contacts.tenant_id
        left join {{ ref('outreach_activity_ledger') }} as sendings
            on
                ledger.tenant_id = sendings.tenant_id
                and ledger.message_id = sendings.message_id
                and sendings.activity_id = 'message'
                and sendings.kind = 'send'
                and sendings.verdict = 'counted'
        where
            ledger.kind in ('unsubscribe', 'resubscribe')
            and ledger.verdict = 'counted'
    ),

    -- An address that several contacts share says nothing about which of them it was.
    single_contacts as (
        select
            contacts.tenant_id,
            contacts.address,
            min(contacts.contact_id) as contact_id
        from contacts
        inner join {{ subjects }} as subjects
            on contacts.tenant_id = subjects.tenant_id
        group by contacts.tenant_id, contacts.address
        having count(*) = 1
    ),

    row_evidence as (
        select
            unsubscribes.tenant_id,
            unsubscribes.channel,
            unsubscribes.address,
            unsubscribes.occurred_at,
            unsubscribes.unsubscribe_id as evidence_id,
            coalesce(unsubscribes.campaign_id, '__none__') as campaign_id,
            coalesce(
                campaigns.contact_id, unsubscribes.contact_id, single_contacts.contact_id, '__none__'
            ) as contact_id,
            unsubscribes.ingested_at,
            {{ time_fault('unsubscribes.occurred_at', 'unsubscribes.ingested_at') }} as fault
        from {{ ref('stg_outreach__unsubscribes') }} as unsubscribes
        inner join {{ subjects }} as subjects
            on unsubscribes.tenant_id = subjects.tenant_id
        left join campaigns
            on
                unsubscribes.campaign_id = campaigns.campaign_id
                and unsubscribes.tenant_id = campaigns.tenant_id
        left join single_contacts
            on
                unsubscribes.tenant_id = single_contacts.tenant_id
                and unsubscribes.address = single_contacts.address
    ),

    evidence as (
        select
            tenant_id,
            channel,
            address,
            occurred_at,
            is_return,
            evidence_id,
            campaign_id,
            contact_id,
            is_machine,
            true as is_message
        from message_evidence

        union all

        select
            tenant_id,
            channel,
            address,
            occurred_at,
            false as is_return,
            evidence_id,
            campaign_id,
            contact_id,
            false as is_machine,
            false as is_message
        from row_evidence
        where fault is null
    ),

    numbered as (
        select
            evidence.*,
            count(*) filter (where is_return) over (
                partition by tenant_id, channel, address
                order by occurred_at, is_return, evidence_id collate "C"
                rows between unbounded preceding and current row
            ) as episode
        from evidence
    ),

    attributed as (
        select
            numbered.*,
            row_number() over (
                partition by tenant_id, channel, address, episode
                order by occurred_at, evidence_id collate "C"
            ) as step,
            first_value(campaign_id) over (attribution) as episode_campaign_id,
            first_value(contact_id) over (attribution) as episode_contact_id
        from numbered
        where not is_return
        window attribution as (
            partition by tenant_id, channel, address, episode
            order by is_message desc, occurred_at, evidence_id collate "C"
        )
    ),

    -- A repeated opt-out on the list is a copy; a repeated event has its verdict in the activity ledger.
    judged as (
        select
            tenant_id,
            evidence_id,
            case when step = 1 then 'counted' else 'duplicate' end as verdict,
            null::text as reason,
            is_message,
            occurred_at,
            occurred_at as filed_at,
            episode_campaign_id as campaign_id,
            episode_contact_id as contact_id,
            channel,
            coalesce(is_machine, false) as is_machine
        from attributed
        where step = 1 or not is_message

        union all

        select
            tenant_id,
            evidence_id,
            'quarantined' as verdict,
            fault as reason,
            false as is_message,
            coalesce(occurred_at, 'infinity') as occurred_at,
            {{ filed_at('occurred_at', 'ingested_at') }} as filed_at,
            campaign_id,
            contact_id,
            channel,
            false as is_machine
        from row_evidence
        where fault is not null
    ),

    -- An event and a row of the list may have the same id.
    with_copies as (
        select
            judged.*,
            row_number() over (
                partition by tenant_id, evidence_id
                order by verdict, is_message, occurred_at, channel collate "C"
            ) as copy
        from judged
    )

    select
        tenant_id,
        case when copy > 1 then evidence_id || ' copy ' || copy else evidence_id end as optout_id,
        case when is_message then 'message_events' else 'contact_unsubscribes' end as source_table,
        verdict,
        reason,
        'optout' as kind,
        occurred_at,
        filed_at,
        campaign_id,
        contact_id,
        channel,
        is_machine
    from with_copies
{%- endmacro %}
