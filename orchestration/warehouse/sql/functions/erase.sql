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

-- On demand ---------------------------------------------------------------------------------------

create or replace function ops.outreach_ids_of_contact(p_tenant_id text, p_contact_id text)
returns table (what text, id text)
language sql stable
as $$
    with messages as (
        select distinct ledger.message_id
        from intermediate.outreach_activity_ledger as ledger
        where ledger.tenant_id = p_tenant_id and ledger.contact_id = p_contact_id
        union
        select facts.message_id
        from analytics.metrics_message as facts
        where facts.tenant_id = p_tenant_id and facts.contact_id = p_contact_id
    )

    select 'message', messages.message_id from messages
    union
    select 'event', ledger.activity_id
    from messages
    inner join intermediate.outreach_activity_ledger as ledger
        on ledger.tenant_id = p_tenant_id and messages.message_id = ledger.message_id
    where ledger.activity_id not in ('message', 'inbound')
    union
    select 'campaign', campaigns.campaign_id
    from (
        select ledger.campaign_id
        from messages
        inner join intermediate.outreach_activity_ledger as ledger
            on ledger.tenant_id = p_tenant_id and messages.message_id = ledger.message_id
        union
        select ledger.campaign_id
        from intermediate.outreach_transition_ledger as ledger
        where ledger.tenant_id = p_tenant_id and ledger.contact_id = p_contact_id
        union
        select ledger.campaign_id
        from intermediate.outreach_optout_ledger as ledger
        where ledger.tenant_id = p_tenant_id and ledger.contact_id = p_contact_id
        union
        -- of which the rollups have not been told yet
        select changed.campaign_id
        from ops.outreach_activity_change as changed
        where changed.tenant_id = p_tenant_id and changed.contact_id = p_contact_id
    ) as campaigns
    where campaigns.campaign_id not in ('__none__', '__erased__')
    union
    select 'rollup', p_contact_id
    where
        exists (
            select 1 from analytics.metrics_contact_hourly as hourly
            where hourly.tenant_id = p_tenant_id and hourly.contact_id = p_contact_id
        )
        or exists (
            select 1 from ops.outreach_activity_change as changed
            where changed.tenant_id = p_tenant_id and changed.contact_id = p_contact_id
        )
        or exists (
            select 1 from intermediate.outreach_optout_ledger as ledger
            where ledger.tenant_id = p_tenant_id and ledger.contact_id = p_contact_id
        )
$$;
comment on function ops.outreach_ids_of_contact is 'What our tables know of a contact: ids of its messages, events and campaigns; none if they know nothing of it';

create or replace function ops.outreach_source_of_contact(p_tenant_id text, p_contact_id text)
returns table (source_table text, row_count bigint)
language sql stable
as $$
    select found.source_table, found.row_count
    from (
        select 'contact', count(*) from staging.stg_outreach__contacts
        where contact_id = p_contact_id and tenant_id = p_tenant_id
        union all
        select 'campaign', count(*) from staging.stg_outreach__campaigns
        where contact_id = p_contact_id and tenant_id = p_tenant_id
        union all
        select 'message', count(*) from staging.stg_outreach__messages
        where contact_id = p_contact_id and tenant_id = p_tenant_id
        union all
        select 'reply', count(*) from staging.stg_outreach__inbound_messages
        where contact_id = p_contact_id and tenant_id = p_tenant_id
        union all
        select 'opt-out', count(*) from staging.stg_outreach__unsubscribes
        where contact_id = p_contact_id and tenant_id = p_tenant_id
    ) as found (source_table, row_count)
    where found.row_count > 0
$$;
comment on function ops.outreach_source_of_contact is 'What the source still has of a contact: it must have nothing before the contact is erased';

create or replace function ops.outreach_erase_contact(p_tenant_id text, p_contact_id text, p_requested_by text)
returns jsonb
language plpgsql
as $$
declare
    message_ids text[];
    campaign_ids text[];
    all_ids text[];
    living text[];
    rows_changed jsonb;
begin
    -- In one transaction, under the lock that every model writes under.
    perform pg_advisory_xact_lock(hashtextextended('rollups write outreach ' || p_tenant_id, 0));
    if exists (select 1 from ops.outreach_source_of_contact(p_tenant_id, p_contact_id)) then
        raise exception 'the source has this contact again: delete it there first' using errcode = 'P0001';
    end if;
    create temporary table contact_id_of on commit drop as
    select known.what, known.id from ops.outreach_ids_of_contact(p_tenant_id, p_contact_id) as known;
    select array_agg(id) into all_ids from pg_temp.contact_id_of where what <> 'rollup';

    -- What the source has of them belongs to somebody else by now: it is worked out again.
    select array_agg(id) into living from pg_temp.contact_id_of where what = 'message' and ops.outreach_has_message(id);
    perform ops.note_pending('outreach', array_fill(p_tenant_id, array[coalesce(cardinality(living), 0)]), 'message', living, 'erased contact')
    where living is not null;
    select array_agg(id) into message_ids
    from pg_temp.contact_id_of where what = 'message' and not id = any(coalesce(living, '{}'));
    select array_agg(known.id) into campaign_ids
    from pg_temp.contact_id_of as known
    where
        known.what = 'campaign'
        and not exists (select 1 from staging.stg_outreach__campaigns as present where present.campaign_id = known.id);
    perform ops.note_pending('outreach', array[p_tenant_id], 'campaign', array[known.id], 'erased contact')
    from pg_temp.contact_id_of as known
    where known.what = 'campaign' and not known.id = any(coalesce(campaign_ids, '{}'));
    perform ops.note_pending('outreach', array[p_tenant_id], 'optouts', array[''], 'erased contact');

    rows_changed := ops.outreach_erase(
        gen_random_uuid(),
        array_fill(p_tenant_id, array[coalesce(cardinality(message_ids), 0)]), message_ids,
        array_fill(p_tenant_id, array[coalesce(cardinality(campaign_ids), 0)]), campaign_ids
    );
    perform ops.outreach_unname(p_tenant_id, p_contact_id, campaign_ids);
    perform ops.outreach_forget(p_tenant_id, message_ids, campaign_ids, all_ids || p_contact_id);
    insert into ops.erasure (tenant_id, requested_by, rows_changed)
    values (p_tenant_id, p_requested_by, rows_changed);
    return rows_changed;
end
$$;
comment on function ops.outreach_erase_contact is 'Moves a contact that is gone from the source to the key __erased__ in the ledgers; the refresh after it does the rollups';

create or replace function ops.outreach_unname(p_tenant_id text, p_contact_id text, p_campaign_ids text[])
returns void
language sql
as $$
    -- Replies and rows of the opt-out list are still there and have lost their person in the source.
    with reply as (
        update intermediate.outreach_activity_ledger as ledger
        set contact_id = '__none__', campaign_id = '__none__'
        from intermediate.outreach_activity_ledger as old_row
        where
            old_row.tenant_id = p_tenant_id and old_row.contact_id = p_contact_id
            and ledger.tenant_id = old_row.tenant_id
            and ledger.message_id = old_row.message_id
            and ledger.activity_id = old_row.activity_id
        returning old_row.*
    ),

    optout as (
        update intermediate.outreach_optout_ledger as ledger
        set contact_id = '__none__', campaign_id = '__none__'
        from intermediate.outreach_optout_ledger as old_row
        where
            old_row.tenant_id = p_tenant_id
            and (old_row.contact_id = p_contact_id or old_row.campaign_id = any(p_campaign_ids))
            and ledger.tenant_id = old_row.tenant_id
            and ledger.optout_id = old_row.optout_id
        returning old_row.*
    ),

    step as (
        update intermediate.outreach_transition_ledger set contact_id = '__none__'
        where tenant_id = p_tenant_id and contact_id = p_contact_id
    ),

    touched as (
        insert into ops.outreach_touched (refresh_id, layer, tenant_id, date)
        select gen_random_uuid(), 'activity', p_tenant_id, changed.date
        from (select date from reply union select date from optout) as changed
    )

    insert into ops.outreach_activity_change (
        tenant_id, date, hour, campaign_id, contact_id, channel, kind, is_machine, is_first, is_first_human,
        is_first_engagement, is_block, is_trackable, weight
    )
    select
        p_tenant_id, changed.date, changed.hour, moved.campaign_id, moved.contact_id, changed.channel, changed.kind,
        changed.is_machine, changed.is_first, changed.is_first_human, changed.is_first_engagement, changed.is_block,
        changed.is_trackable, moved.weight
    from (
        select
            date, hour, campaign_id, contact_id, channel, kind, is_machine, is_first, is_first_human,
            is_first_engagement, is_block, is_trackable
        from reply where verdict = 'counted'
        union all
        select date, hour, campaign_id, contact_id, channel, kind, is_machine, false, false, false, false, false
        from optout where verdict = 'counted'
    ) as changed
    cross join lateral (
        values (changed.campaign_id, changed.contact_id, -1), ('__none__', '__none__', 1)
    ) as moved (campaign_id, contact_id, weight)
$$;
comment on function ops.outreach_unname is 'Takes a contact from ledger rows that the source has and attributes to nobody';

create or replace function ops.outreach_forget(
    p_tenant_id text, p_message_ids text[], p_campaign_ids text[], p_all_ids text[]
) returns void
language plpgsql
as $$
declare
    src ops.capture_source;
    pattern text;
begin
    -- Every operational table that may name an id; the rollups' touched keys go with the refresh.
    delete from ops.pending
    where
        family = 'outreach' and tenant_id = p_tenant_id
        and (grain = 'message' and key = any(p_message_ids) or grain = 'campaign' and key = any(p_campaign_ids));
    -- Who gives up its claims meanwhile deletes them by itself, in an order of its own: to wait
    -- for it could be a deadlock.
    delete from ops.refresh_claim
    where ctid in (
        select ctid from ops.refresh_claim
        where
            family = 'outreach' and tenant_id = p_tenant_id
            and (grain = 'message' and key = any(p_message_ids) or grain = 'campaign' and key = any(p_campaign_ids))
        for update skip locked
    );
    delete from intermediate.outreach_scope_subjects
    where ctid in (
        select ctid from intermediate.outreach_scope_subjects
        where
            tenant_id = p_tenant_id
            and (grain = 'message' and key = any(p_message_ids) or grain = 'campaign' and key = any(p_campaign_ids))
        for update skip locked
    );
    delete from ops.change_queue
    where
        family = 'outreach' and tenant_id = p_tenant_id
        and (grain = 'message' and key = any(p_message_ids) or grain = 'campaign' and key = any(p_campaign_ids));
    -- A row that the source has no more will not be read again.
    for src in select * from ops.capture_source where family = 'outreach' loop
        execute format(
            'delete from ops.seen where family = $1 and source_table = $2'
            ' and not exists (select 1 from %s where arrivals.%s = seen.row_id)',
            src.relation, src.row_id
        ) using src.family, src.source_table;
    end loop;
    delete from ops.quarantined_row where family = 'outreach' and row_id = any(p_all_ids);
    -- An error may have named a row.
    select '(?<![A-Za-z0-9_-])(' || string_agg(regexp_replace(id, '([^A-Za-z0-9])', '\\\1', 'g'), '|') || ')(?![A-Za-z0-9_-])'
    into pattern
    from unnest(p_all_ids) as known (id);
    perform set_config('rollups.erasing', 'on', true);
    update ops.refresh_log
    set detail = jsonb_set(detail, '{error}', to_jsonb(regexp_replace(detail ->> 'error', pattern, '__erased__', 'g')))
    where family = 'outreach' and event = 'failed' and detail ->> 'error' ~ pattern;
    perform set_config('rollups.erasing', '', true);
end
$$;
comment on function ops.outreach_forget is 'Takes the ids of an erased contact out of the operational tables';
