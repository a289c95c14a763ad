-- Change capture by triggers: statement triggers in the source note whatever they change in
-- ops.change_queue, in the transaction of the change. So capture misses nothing, whenever a
-- transaction commits: updates that leave the ingest time alone, deletes and cascades included.
set check_function_bodies = off;

create or replace view ops.watched_table as
select family, source_table, watched_columns, subjects
from (
    values
    (
        'outreach', 'outbound_messages',
        'id, tenant_id, campaign_id, contact_id, provider_message_id, channel, state, sent_at, error_at, updated_at',
        'select tenant_id, ''message'', id from changed'
    ),
    (
        'outreach', 'message_events',
        'id, tenant_id, message_id, type, event_at, data::text, sg_event_id, created_at',
        -- With the message itself gone, its own trigger has noted it.
        'select coalesce(messages.tenant_id, changed.tenant_id), ''message'', changed.message_id from changed'
        ' left join %1$I.outbound_messages as messages on changed.message_id = messages.id'
    ),
    (
        'outreach', 'inbound_messages',
        'id, tenant_id, campaign_id, contact_id, channel, received_at, updated_at',
        'select tenant_id, ''message'', ''inbound/'' || id from changed'
    ),
    (
        'outreach', 'campaign_transitions',
        'id, tenant_id, campaign_id, from_status, to_status, reason, occurred_at, created_at',
        'select tenant_id, ''campaign'', campaign_id from changed'
    ),
    (
        'outreach', 'contact_unsubscribes',
        'id, tenant_id, channel, channel_value, campaign_id, contact_id, unsubscribed_at, created_at',
        'select tenant_id, ''optouts'', '''' from changed'
    ),
    -- Whose address it is, and whose campaign, says to whom an opt-out belongs.
    (
        'outreach', 'lead_point_of_contacts', 'id, lead_id, email',
        'select leads.tenant_id, ''optouts'', '''' from changed'
        ' inner join %1$I.leads as leads on changed.lead_id = leads.id'
    ),
    (
        'outreach', 'leads', 'id, tenant_id',
        'select tenant_id, ''optouts'', '''' from changed'
    ),
    (
        'outreach', 'contact_campaigns', 'id, tenant_id, contact_id',
        'select tenant_id, ''optouts'', '''' from changed'
    ),
    (
        'support', 'reporting_events',
        'id, account_id, name, value, value_in_business_hours, inbox_id, user_id, conversation_id, created_at, updated_at',
        'select account_id::text, ''conversation'', coalesce(conversation_id::text, ''event/'' || id) from changed'
    ),
    (
        'support', 'conversations',
        'id, account_id, inbox_id, assignee_id, team_id, created_at',
        'select account_id::text, ''conversation'', id::text from changed'
        -- Rows of other accounts that name it count while it is nobody's. One that stays where it
        -- is stands in an update twice.
        ' union all select named.account_id::text, ''conversation'', moved.id::text'
        ' from (select id from changed group by id, account_id having count(*) = 1) as moved'
        ' cross join lateral ('
        ' select account_id from %1$I.reporting_events where conversation_id = moved.id'
        ' union select account_id from %1$I.messages where conversation_id = moved.id'
        ' ) as named'
    ),
    (
        'support', 'messages',
        'id, account_id, conversation_id, inbox_id, message_type, sender_type, sender_id, created_at',
        'select account_id::text, ''conversation'', coalesce(conversation_id::text, ''message/'' || id) from changed'
    )
) as watched (family, source_table, watched_columns, subjects);
comment on view ops.watched_table is 'Source tables to put triggers on: the columns that numbers depend on (a change of others is not noted), and the subjects of "changed" rows';

create or replace function ops.source_table(p_family text, p_source_table text) returns regclass
language sql stable
as $$
    select to_regclass(format('%I.%I', config.value, p_source_table))
    from ops.config as config where config.name = p_family || '_schema'
$$;
comment on function ops.source_table is 'A table of the source, where the settings say it is; NULL when it is not there';

create or replace function ops.write_trigger_function(p_family text, p_source_table text) returns text
language plpgsql
as $$
declare
    watched ops.watched_table;
    routine text := format('ops.%I', 'note_' || p_family || '_' || p_source_table);
    note text;
begin
    select * into strict watched from ops.watched_table
    where family = p_family and source_table = p_source_table;
    note := format(
        $sql$
            insert into ops.change_queue (family, source_table, tenant_id, grain, key)
            with changed as (%%s)
            select distinct %L, %L, noted.* from (%s) as noted (tenant_id, grain, key)
            where noted.key is not null;
        $sql$,
        p_family, p_source_table,
        format(watched.subjects, (select value from ops.config where name = p_family || '_schema'))
    );
    -- The source's writers have no rights on ops: the function works with its owner's.
    execute format(
        $create$
            create or replace function %1$s() returns trigger
            language plpgsql security definer
            set search_path = pg_catalog, pg_temp
            as $body$
            begin
                if tg_op = 'INSERT' then
                    %2$s
                elsif tg_op = 'DELETE' then
                    %3$s
                elsif tg_op = 'UPDATE' then
                    %4$s
                else
                    insert into ops.change_queue (family, source_table, tenant_id, grain, key)
                    select %5$L, %6$L, tenant_id, 'tenant', '' from ops.known_tenants(%5$L);
                end if;
                return null;
            end
            $body$
        $create$,
        routine,
        format(note, format('select %s from new_rows', watched.watched_columns)),
        format(note, format('select %s from old_rows', watched.watched_columns)),
        format(note, format(
            '(select %1$s from old_rows except select %1$s from new_rows)'
            ' union all (select %1$s from new_rows except select %1$s from old_rows)',
            watched.watched_columns
        )),
        p_family,
        p_source_table
    );
    execute format('revoke execute on function %s() from public', routine);
    return routine;
end
$$;

create or replace function ops.install_table_triggers(p_family text, p_source_table text) returns void
language plpgsql
as $$
declare
    relation regclass := ops.source_table(p_family, p_source_table);
    routine text;
begin
    if exists (select 1 from pg_catalog.pg_subscription_rel where srrelid = relation) then
        raise exception
            '% is fed by logical replication, which fires no statement triggers: use ROLLUPS_CHANGE_CAPTURE=watermark',
            relation
            using errcode = '0A000';
    end if;
    routine := ops.write_trigger_function(p_family, p_source_table);
    execute format(
        $sql$
            create or replace trigger rollups_insert after insert on %1$s
            referencing new table as new_rows
            for each statement execute function %2$s();
            create or replace trigger rollups_update after update on %1$s
            referencing old table as old_rows new table as new_rows
            for each statement execute function %2$s();
            create or replace trigger rollups_delete after delete on %1$s
            referencing old table as old_rows
            for each statement execute function %2$s();
            create or replace trigger rollups_truncate after truncate on %1$s
            for each statement execute function %2$s();
        $sql$,
        relation, routine
    );
    -- By now every writer that was before us has committed: its rows are found by ingest time.
    insert into ops.trigger_installation (family, source_table, installed_at)
    values (p_family, p_source_table, clock_timestamp())
    on conflict (family, source_table) do update set installed_at = excluded.installed_at;
end
$$;

create or replace function ops.remove_table_triggers(p_family text, p_source_table text) returns void
language plpgsql
as $$
begin
    -- With its function go the triggers, wherever they are.
    execute format('drop function if exists ops.%I() cascade', 'note_' || p_family || '_' || p_source_table);
    delete from ops.trigger_installation where family = p_family and source_table = p_source_table;
end
$$;

create or replace function ops.install_triggers(p_family text) returns void
language sql
as $$
    select ops.install_table_triggers(watched.family, watched.source_table)
    from ops.watched_table as watched
    where watched.family = p_family and ops.source_table(watched.family, watched.source_table) is not null
$$;
comment on function ops.install_triggers is 'Installs the triggers of a family in one transaction, which waits for the writers of every table; the command does it table by table';

create or replace function ops.remove_triggers(p_family text) returns void
language sql
as $$
    select ops.remove_table_triggers(family, source_table) from ops.watched_table where family = p_family
$$;

drop function if exists ops.source_triggers(text);
create function ops.source_triggers(p_family text)
returns table (source_table text, relation text, status text, installed_at timestamptz, waiting bigint)
language sql stable
as $$
    select
        watched.source_table,
        coalesce(ops.source_table(p_family, watched.source_table)::text, watched.source_table),
        case
            when ops.source_table(p_family, watched.source_table) is null then 'no table'
            when found.triggers = 0 then 'missing'
            when found.firing < 4 then 'incomplete'
            else 'installed'
        end,
        installation.installed_at,
        (
            select count(*) from ops.change_queue as queue
            where queue.family = p_family and queue.source_table = watched.source_table
        )
    from ops.watched_table as watched
    left join ops.trigger_installation as installation using (family, source_table)
    cross join lateral (
        select count(*) as triggers, count(*) filter (where tgenabled in ('O', 'A')) as firing
        from pg_catalog.pg_trigger
        where
            tgrelid = ops.source_table(p_family, watched.source_table)
            and tgname in ('rollups_insert', 'rollups_update', 'rollups_delete', 'rollups_truncate')
            and tgfoid = to_regproc(format('ops.%I', 'note_' || p_family || '_' || watched.source_table))
    ) as found
    where watched.family = p_family
    order by watched.source_table
$$;
comment on function ops.source_triggers is 'Tables of a family and whether their triggers fire: installed, incomplete (some are gone or disabled), missing, or no such table';

create or replace function ops.require_triggers(p_family text) returns void
language plpgsql stable
as $$
declare
    lacking text;
begin
    select string_agg(relation || ' (' || status || ')', ', ') into lacking
    from ops.source_triggers(p_family)
    where status in ('missing', 'incomplete');
    if lacking is not null then
        raise exception
            'ROLLUPS_CHANGE_CAPTURE=triggers would miss changes of %: run `rollups source install-triggers`, or set it to watermark',
            lacking
            using errcode = '55000';
    end if;
end
$$;

create or replace function ops.take_change_queue(p_family text) returns bigint
language sql
as $$
    -- What a trigger wrote is seen as soon as its transaction has committed, and taken once.
    with taken as (
        delete from ops.change_queue where family = p_family
        returning source_table, tenant_id, grain, key, noted_at
    ),

    newest as (
        update ops.watermark
        set noted_to = greatest(watermark.noted_to, seen.noted_at)
        from (select source_table, max(noted_at) as noted_at from taken group by source_table) as seen
        where watermark.family = p_family and watermark.source_table = seen.source_table
    )

    select coalesce(sum(work.noted), 0)::bigint
    from (
        select
            ops.note_pending(
                p_family, array_agg(tenant_id), grain, array_agg(key), 'changed in ' || source_table, min(noted_at)
            ) as noted
        from taken
        -- what cannot be a key is in quarantine
        where ops.is_tenant_id(tenant_id) and octet_length(key) <= 510
        group by source_table, grain
    ) as work
$$;
comment on function ops.take_change_queue is 'Makes pending work of what triggers have noted; returns how many pieces';

-- Triggers that are in place follow this version.
select ops.write_trigger_function(family, source_table) from ops.trigger_installation;
