{#-
    Opt-out episodes of the tenants in `subjects`: an address opts out once until it subscribes again,
    however often and in however many tables that is written down. And the rows of the opt-out list
    that begin no episode, with a verdict. No address is kept: it serves as partition key only, and
    evidence whose contact is gone is placed by the episode it was part of, according to `former`,
    the rows the ledger has.
-#}
{% macro outreach_judged_optouts(subjects, former) -%}
    with contacts as (
        select * from {{ ref('stg_outreach__contacts') }}
    ),

    campaigns as (
        select * from {{ ref('stg_outreach__campaigns') }}
    ),

    unsubscribes as (
        select * from {{ ref('stg_outreach__unsubscribes') }}
    ),

    -- Distributed ledgers are read on their own.
    former_episodes as materialized (
        select ledger.*
        from {{ former }} as ledger
        inner join {{ subjects }} as subjects
            on ledger.tenant_id = subjects.tenant_id
        where ledger.verdict = 'counted'
    ),

    former_evidence as (
        select distinct on (former_episodes.tenant_id, member.evidence_id)
            former_episodes.tenant_id,
            member.evidence_id,
            former_episodes.optout_id
        from former_episodes
        cross join jsonb_array_elements_text(former_episodes.evidence_ids) as member (evidence_id)
        order by former_episodes.tenant_id, member.evidence_id, former_episodes.optout_id
    ),

    -- An episode whose row left the opt-out list, which is how the application notes a return: it has
    -- ended, and stays as it is. What was erased stays under every policy.
    kept as (
        select
            former_episodes.*,
            {{ delete_policy() }} = 'erase'
            and (
                (former_episodes.contact_id <> '__none__' and contacts.contact_id is null)
                or (former_episodes.campaign_id <> '__none__' and campaigns.campaign_id is null)
            ) as is_erased
        from former_episodes
        left join contacts
            on
                former_episodes.contact_id = contacts.contact_id
                and former_episodes.tenant_id = contacts.tenant_id
        left join campaigns
            on
                former_episodes.campaign_id = campaigns.campaign_id
                and former_episodes.tenant_id = campaigns.tenant_id
        where
            former_episodes.source_table = 'contact_unsubscribes'
            and ({{ delete_policy() }} <> 'restate' or former_episodes.contact_id = '__erased__')
            and not exists (
                select 1 from unsubscribes
                where unsubscribes.unsubscribe_id = former_episodes.optout_id
            )
    ),

    kept_evidence as (
        select
            kept.tenant_id,
            member.evidence_id
        from kept
        cross join jsonb_array_elements_text(kept.evidence_ids) as member (evidence_id)
    ),

    activities as materialized (
        select
            ledger.tenant_id,
            ledger.channel,
            ledger.contact_id,
            ledger.campaign_id,
            ledger.activity_id,
            ledger.kind,
            ledger.occurred_at,
            ledger.is_source_gone,
            ledger.occurred_at <= sendings.occurred_at + interval '120 seconds' as is_machine
        from {{ ref('outreach_activity_ledger') }} as ledger
        inner join {{ subjects }} as subjects
            on ledger.tenant_id = subjects.tenant_id
        left join {{ ref('outreach_activity_ledger') }} as sendings
            on
                ledger.tenant_id = sendings.tenant_id
                and ledger.message_id = sendings.message_id
                and sendings.activity_id = 'message'
                and sendings.kind = 'send'
                and sendings.verdict = 'counted'
        where ledger.kind in ('unsubscribe', 'resubscribe') and ledger.verdict = 'counted'
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
            ledger.is_machine,
            coalesce(ledger.is_source_gone, false) as is_source_gone,
            ledger.contact_id = '__erased__'
            or (contacts.contact_id is null and {{ delete_policy() }} <> 'restate') as is_unplaced
        from activities as ledger
        left join contacts
            on
                ledger.contact_id = contacts.contact_id
                and ledger.tenant_id = contacts.tenant_id
        left join kept_evidence
            on
                ledger.tenant_id = kept_evidence.tenant_id
                and ledger.activity_id = kept_evidence.evidence_id
        where kept_evidence.evidence_id is null
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
            coalesce(unsubscribes.address, '') as address,
            unsubscribes.occurred_at,
            unsubscribes.unsubscribe_id as evidence_id,
            coalesce(unsubscribes.campaign_id, '__none__') as campaign_id,
            coalesce(
                campaigns.contact_id, unsubscribes.contact_id, single_contacts.contact_id, '__none__'
            ) as contact_id,
            unsubscribes.ingested_at,
            {{ time_fault('unsubscribes.occurred_at', 'unsubscribes.ingested_at') }} as fault
        from unsubscribes
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

    placed_evidence as (
        select
            tenant_id,
            evidence_id,
            address
        from message_evidence
        where not is_unplaced

        union all

        select
            tenant_id,
            evidence_id,
            address
        from row_evidence
        where fault is null
    ),

    -- Hardly ever is there one.
    unplaced_episodes as (
        select distinct
            former_evidence.tenant_id,
            former_evidence.optout_id
        from message_evidence
        inner join former_evidence
            on
                message_evidence.tenant_id = former_evidence.tenant_id
                and message_evidence.evidence_id = former_evidence.evidence_id
        where message_evidence.is_unplaced
    ),

    episode_addresses as (
        select
            former_evidence.tenant_id,
            former_evidence.optout_id,
            min(placed_evidence.address) as address
        from unplaced_episodes
        inner join former_evidence
            on
                unplaced_episodes.tenant_id = former_evidence.tenant_id
                and unplaced_episodes.optout_id = former_evidence.optout_id
        inner join placed_evidence
            on
                former_evidence.tenant_id = placed_evidence.tenant_id
                and former_evidence.evidence_id = placed_evidence.evidence_id
        group by former_evidence.tenant_id, former_evidence.optout_id
    ),

    evidence as (
        select
            message_evidence.tenant_id,
            message_evidence.channel,
            case
                when not message_evidence.is_unplaced then message_evidence.address
                when former_evidence.optout_id is not null
                    then coalesce(episode_addresses.address, 'episode ' || former_evidence.optout_id)
                when message_evidence.contact_id = '__erased__'
                    then 'evidence ' || message_evidence.evidence_id
                else message_evidence.address
            end as address,
            message_evidence.occurred_at,
            message_evidence.is_return,
            message_evidence.evidence_id,
            message_evidence.campaign_id,
            message_evidence.contact_id,
            message_evidence.is_machine,
            message_evidence.is_source_gone,
            true as is_message
        from message_evidence
        left join former_evidence
            on
                message_evidence.tenant_id = former_evidence.tenant_id
                and message_evidence.evidence_id = former_evidence.evidence_id
        left join episode_addresses
            on
                former_evidence.tenant_id = episode_addresses.tenant_id
                and former_evidence.optout_id = episode_addresses.optout_id

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
            false as is_source_gone,
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

    -- What an episode consists of, the return that ended it included.
    members as (
        select
            tenant_id,
            channel,
            address,
            case when is_return then episode - 1 else episode end as episode,
            jsonb_agg(evidence_id order by occurred_at, is_return, evidence_id collate "C")
                as evidence_ids
        from numbered
        group by
            tenant_id,
            channel,
            address,
            case when is_return then episode - 1 else episode end
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
            attributed.tenant_id,
            attributed.evidence_id,
            case when attributed.step = 1 then 'counted' else 'duplicate' end as verdict,
            null::text as reason,
            attributed.is_message,
            attributed.occurred_at,
            attributed.occurred_at as filed_at,
            -- a row of the list loses both when they are deleted; a frozen ledger does not
            coalesce(
                nullif(attributed.episode_campaign_id, '__none__'),
                former_episodes.campaign_id,
                '__none__'
            ) as campaign_id,
            coalesce(
                nullif(attributed.episode_contact_id, '__none__'),
                former_episodes.contact_id,
                '__none__'
            ) as contact_id,
            attributed.channel,
            coalesce(attributed.is_machine, false) as is_machine,
            case when attributed.step = 1 then members.evidence_ids else '[]' end as evidence_ids,
            attributed.is_source_gone
        from attributed
        inner join members
            on
                attributed.tenant_id = members.tenant_id
                and attributed.channel = members.channel
                and attributed.address = members.address
                and attributed.episode = members.episode
        left join former_episodes
            on
                attributed.tenant_id = former_episodes.tenant_id
                and attributed.evidence_id = former_episodes.optout_id
                and {{ delete_policy() }} = 'freeze'
        where attributed.step = 1 or not attributed.is_message

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
            false as is_machine,
            '[]'::jsonb as evidence_ids,
            false as is_source_gone
        from row_evidence
        where fault is not null

        union all

        select
            tenant_id,
            optout_id as evidence_id,
            'counted' as verdict,
            null::text as reason,
            false as is_message,
            occurred_at,
            occurred_at as filed_at,
            case when is_erased then '__erased__' else campaign_id end as campaign_id,
            case when is_erased then '__erased__' else contact_id end as contact_id,
            channel,
            is_machine,
            evidence_ids,
            true as is_source_gone
        from kept
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
        is_machine,
        evidence_ids,
        is_source_gone
    from with_copies
{%- endmacro %}
