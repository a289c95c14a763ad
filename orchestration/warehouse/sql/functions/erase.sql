-- People who are erased: their rows in our tables go over to the key '__erased__', so that totals
-- stay. Bodies may name views and tables that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.outreach_erase(
    p_refresh_id uuid, p_message_tenant_ids text[], p_message_ids text[],
    p_campaign_tenant_ids text[], p_campaign_ids text[]
) returns jsonb
language plpgsql
as $$
declare
    -- rows changed, by table
    activities bigint;
    messages bigint;
    transitions bigint;
    optouts bigint;
begin
    drop table if exists pg_temp.erased_message, pg_temp.erased_activity, pg_temp.erased_campaign;
    -- New ids say nothing, but keep the order in which ties of the same second are broken.
    create temporary table erased_message on commit drop as
    select asked.tenant_id, asked.message_id, 'erased/' || gen_random_uuid() as new_id
    from (
        select distinct listed.tenant_id, listed.message_id
        from unnest(p_message_tenant_ids, p_message_ids) as listed (tenant_id, message_id)
    ) as asked;
    create temporary table erased_activity on commit drop as
    select
        ledger.*,
        erased.new_id as new_message_id,
        case
            when ledger.activity_id in ('message', 'inbound') then ledger.activity_id
            else erased.new_id || '/' || lpad(
                row_number() over (
                    partition by ledger.tenant_id, ledger.message_id order by ledger.activity_id collate "C"
                )::text, 6, '0'
            )
        end as new_activity_id
    from erased_message as erased
    inner join intermediate.outreach_activity_ledger as ledger
        on erased.tenant_id = ledger.tenant_id and erased.message_id = ledger.message_id;
    create temporary table erased_campaign on commit drop as
    select distinct listed.tenant_id, listed.campaign_id
    from unnest(p_campaign_tenant_ids, p_campaign_ids) as listed (tenant_id, campaign_id);
    analyze pg_temp.erased_message, pg_temp.erased_activity, pg_temp.erased_campaign;

    -- What the next models take from the rollup rows of the old keys, they add to those of the new one.
    insert into ops.outreach_touched (refresh_id, layer, tenant_id, date)
    select distinct p_refresh_id, 'activity', erased.tenant_id, erased.date from pg_temp.erased_activity as erased;
    insert into ops.outreach_activity_change (
        tenant_id, date, hour, campaign_id, contact_id, channel, kind, is_machine, is_first, is_first_human,
        is_first_engagement, is_block, is_trackable, weight
    )
    select
        erased.tenant_id, erased.date, erased.hour, moved.campaign_id, moved.contact_id, erased.channel, erased.kind,
        erased.is_machine, erased.is_first, erased.is_first_human, erased.is_first_engagement, erased.is_block,
        erased.is_trackable, moved.weight
    from pg_temp.erased_activity as erased
    cross join lateral (
        values (erased.campaign_id, erased.contact_id, -1), ('__erased__', '__erased__', 1)
    ) as moved (campaign_id, contact_id, weight)
    where erased.verdict = 'counted';
    insert into ops.outreach_touched (refresh_id, layer, tenant_id, date)
    select distinct p_refresh_id, 'message', facts.tenant_id, facts.date
    from pg_temp.erased_message as erased
    inner join analytics.metrics_message as facts
        on erased.tenant_id = facts.tenant_id and erased.message_id = facts.message_id;
    insert into ops.outreach_message_change (
        tenant_id, date, campaign_id, sent_at, implied_sent_at, first_delivered_at, first_open_at,
        first_human_open_at, first_click_at, first_bounce_at, first_drop_at, first_complaint_at,
        first_unsubscribe_at, first_reply_at, weight
    )
    select
        facts.tenant_id, facts.date, moved.campaign_id, facts.sent_at, facts.implied_sent_at,
        facts.first_delivered_at, facts.first_open_at, facts.first_human_open_at, facts.first_click_at,
        facts.first_bounce_at, facts.first_drop_at, facts.first_complaint_at, facts.first_unsubscribe_at,
        facts.first_reply_at, moved.weight
    from pg_temp.erased_message as erased
    inner join analytics.metrics_message as facts
        on erased.tenant_id = facts.tenant_id and erased.message_id = facts.message_id
    cross join lateral (values (facts.campaign_id, -1), ('__erased__', 1)) as moved (campaign_id, weight);

    update intermediate.outreach_activity_ledger as ledger
    set
        message_id = erased.new_message_id,
        activity_id = erased.new_activity_id,
        campaign_id = '__erased__',
        contact_id = '__erased__',
        source_hash = null,
        copy_key = null,
        is_source_gone = true
    from pg_temp.erased_activity as erased
    where
        ledger.tenant_id = erased.tenant_id
        and ledger.message_id = erased.message_id
        and ledger.activity_id = erased.activity_id;
    get diagnostics activities = row_count;
    update intermediate.outreach_activity_ledger as ledger
    set copy_of = erased.new_activity_id
    from pg_temp.erased_activity as erased
    where ledger.tenant_id = erased.tenant_id and ledger.copy_of = erased.activity_id;

    update analytics.metrics_message as facts
    set message_id = erased.new_id, campaign_id = '__erased__', contact_id = '__erased__'
    from pg_temp.erased_message as erased
    where facts.tenant_id = erased.tenant_id and facts.message_id = erased.message_id;
    get diagnostics messages = row_count;

    insert into ops.outreach_touched (refresh_id, layer, tenant_id, date, campaign_id)
    select distinct p_refresh_id, 'transition', ledger.tenant_id, ledger.date, keys.campaign_id
    from pg_temp.erased_campaign as erased
    inner join intermediate.outreach_transition_ledger as ledger
        on erased.tenant_id = ledger.tenant_id and erased.campaign_id = ledger.campaign_id
    cross join lateral (values (erased.campaign_id), ('__erased__')) as keys (campaign_id);
    update intermediate.outreach_transition_ledger as ledger
    set
        campaign_id = '__erased__',
        contact_id = '__erased__',
        transition_id = 'erased/' || gen_random_uuid(),
        source_hash = null,
        is_source_gone = true
    from pg_temp.erased_campaign as erased
    where ledger.tenant_id = erased.tenant_id and ledger.campaign_id = erased.campaign_id;
    get diagnostics transitions = row_count;

    optouts := ops.outreach_erase_optouts(p_refresh_id);
    -- What is in scope and unknown would be deleted: the new keys are known wherever the tenant is
    -- in scope, in this refresh and in one of dbt by itself that is between two models.
    insert into intermediate.outreach_scope_subjects (refresh_id, tenant_id, grain, key, whole)
    select running.refresh_id, erased.tenant_id, erased.grain, erased.key, true
    from (
        select tenant_id, 'message' as grain, new_id as key from pg_temp.erased_message
        union
        select tenant_id, 'campaign', '__erased__' from pg_temp.erased_campaign
    ) as erased
    inner join (
        select distinct refresh_id, tenant_id from intermediate.outreach_scope_subjects
    ) as running
        on erased.tenant_id = running.tenant_id
    on conflict (refresh_id, tenant_id, grain, key) do update set whole = true;
    return jsonb_build_object(
        'outreach_activity_ledger', activities, 'metrics_message', messages,
        'outreach_transition_ledger', transitions, 'outreach_optout_ledger', optouts
    );
end
$$;
comment on function ops.outreach_erase is 'Moves messages and campaigns to the key __erased__ in every ledger and notes the rollup rows this touches; the caller knows that the source has none of them';

create or replace function ops.outreach_erase_optouts(p_refresh_id uuid) returns bigint
language plpgsql
as $$
declare
    changed bigint;
begin
    -- An episode that began with a message event goes over whole. One that began with a row of the
    -- opt-out list is worked out again from that row, or kept by the ledger if the row is gone.
    drop table if exists pg_temp.erased_optout;
    create temporary table erased_optout on commit drop as
    select
        ledger.*,
        coalesce(first_evidence.new_activity_id, ledger.optout_id) as new_id,
        first_evidence.new_activity_id is not null
        or (
            ledger.source_table = 'contact_unsubscribes'
            and exists (
                select 1 from pg_temp.erased_campaign as campaign
                where campaign.tenant_id = ledger.tenant_id and campaign.campaign_id = ledger.campaign_id
            )
            and not exists (
                select 1 from staging.stg_outreach__unsubscribes as present
                where present.unsubscribe_id = ledger.optout_id
            )
        ) as is_erased,
        (
            select coalesce(
                jsonb_agg(coalesce(erased.new_activity_id, member.evidence_id) order by member.place), '[]'
            )
            from jsonb_array_elements_text(ledger.evidence_ids) with ordinality as member (evidence_id, place)
            left join pg_temp.erased_activity as erased
                on ledger.tenant_id = erased.tenant_id and member.evidence_id = erased.activity_id
        ) as new_evidence_ids
    from intermediate.outreach_optout_ledger as ledger
    left join pg_temp.erased_activity as first_evidence
        on ledger.tenant_id = first_evidence.tenant_id and ledger.optout_id = first_evidence.activity_id
    where
        ledger.tenant_id in (
            select erased.tenant_id from pg_temp.erased_activity as erased
            union
            select erased.tenant_id from pg_temp.erased_campaign as erased
        );
    delete from pg_temp.erased_optout as erased
    where not erased.is_erased and erased.new_evidence_ids is not distinct from erased.evidence_ids;

    insert into ops.outreach_touched (refresh_id, layer, tenant_id, date)
    select distinct p_refresh_id, 'activity', erased.tenant_id, erased.date
    from pg_temp.erased_optout as erased
    where erased.is_erased;
    insert into ops.outreach_activity_change (
        tenant_id, date, hour, campaign_id, contact_id, channel, kind, is_machine, weight
    )
    select
        erased.tenant_id, erased.date, erased.hour, moved.campaign_id, moved.contact_id, erased.channel, erased.kind,
        erased.is_machine, moved.weight
    from pg_temp.erased_optout as erased
    cross join lateral (
        values (erased.campaign_id, erased.contact_id, -1), ('__erased__', '__erased__', 1)
    ) as moved (campaign_id, contact_id, weight)
    where erased.is_erased and erased.verdict = 'counted';
    update intermediate.outreach_optout_ledger as ledger
    set
        optout_id = erased.new_id,
        evidence_ids = erased.new_evidence_ids,
        campaign_id = case when erased.is_erased then '__erased__' else ledger.campaign_id end,
        contact_id = case when erased.is_erased then '__erased__' else ledger.contact_id end,
        is_source_gone = erased.is_erased or ledger.is_source_gone
    from pg_temp.erased_optout as erased
    where ledger.tenant_id = erased.tenant_id and ledger.optout_id = erased.optout_id;
    get diagnostics changed = row_count;
    return changed;
end
$$;

create or replace function ops.outreach_erase_vanished() returns void
language plpgsql
as $$
declare
    message_tenants text[];
    message_ids text[];
    campaign_tenants text[];
    campaign_ids text[];
begin
    if ops.delete_policy() <> 'erase' or ops.current_refresh_id() is null then
        return;
    end if;
    select array_agg(subjects.tenant_id), array_agg(subjects.key)
    into message_tenants, message_ids
    from intermediate.outreach_scope_subjects as subjects
    where
        subjects.refresh_id = ops.current_refresh_id()
        and subjects.grain = 'message'
        and subjects.key not like 'erased/%'
        and not ops.outreach_has_message(subjects.key)
        and exists (
            select 1 from intermediate.outreach_activity_ledger as ledger
            where ledger.tenant_id = subjects.tenant_id and ledger.message_id = subjects.key
        );
    select array_agg(vanished.tenant_id), array_agg(vanished.campaign_id)
    into campaign_tenants, campaign_ids
    from (
        select subjects.tenant_id, subjects.key as campaign_id
        from intermediate.outreach_scope_subjects as subjects
        where subjects.refresh_id = ops.current_refresh_id() and subjects.grain = 'campaign'
        union
        select ledger.tenant_id, ledger.campaign_id
        from unnest(message_tenants, message_ids) as message (tenant_id, message_id)
        inner join intermediate.outreach_activity_ledger as ledger
            on message.tenant_id = ledger.tenant_id and message.message_id = ledger.message_id
    ) as vanished
    where
        vanished.campaign_id not in ('__none__', '__erased__')
        and not exists (
            select 1 from staging.stg_outreach__campaigns as present
            where present.campaign_id = vanished.campaign_id
        );
    if message_ids is null and campaign_ids is null then
        return;
    end if;
    perform ops.outreach_erase(
        ops.current_refresh_id(), message_tenants, message_ids, campaign_tenants, campaign_ids
    );
end
$$;
comment on function ops.outreach_erase_vanished is 'Under delete policy erase: erases the subjects of this session''s refresh that are gone from the source';

create or replace function ops.outreach_has_message(p_message_id text) returns boolean
language sql stable
as $$
    -- A reply from the mailbox is a message of its own.
    select case
        when p_message_id like 'inbound/%' then exists (
            select 1 from staging.stg_outreach__inbound_messages as present
            where present.inbound_id = substr(p_message_id, length('inbound/') + 1)
        )
        else exists (
            select 1 from staging.stg_outreach__messages as present where present.message_id = p_message_id
        )
    end
$$;
