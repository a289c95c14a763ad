-- On demand: a contact that the source has deleted leaves our tables by name. Moving its rows is
-- the work of erase.sql. Bodies may name views and tables that dbt creates afterwards.
set check_function_bodies = off;

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
