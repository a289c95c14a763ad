-- Deleted source rows: what the ledgers keep, and what a rebuild would take out of the rollups.
-- Bodies may name views and tables that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.delete_policy() returns text
language sql stable
as $$ select coalesce((select value from ops.config where name = 'delete_policy'), 'restate') $$;
comment on function ops.delete_policy is 'What deleted source rows do: restate, freeze or erase';

create or replace function ops.has_erasures() returns boolean
language sql stable
as $$ select exists (select 1 from ops.erasure) $$;
comment on function ops.has_erasures is 'Whether a contact was ever erased on demand';

create or replace function ops.outreach_kept_subjects()
returns table (tenant_id text, grain text, key text, whole boolean)
language plpgsql stable
as $$
declare
    is_kept boolean := ops.delete_policy() <> 'restate';
begin
    if to_regclass('intermediate.outreach_activity_ledger') is null
        or to_regclass('intermediate.outreach_transition_ledger') is null then
        return;
    end if;
    return query
    select distinct ledger.tenant_id, 'message', ledger.message_id, lower_inf(scope.dates) and upper_inf(scope.dates)
    from ops.outreach_scope as scope
    inner join intermediate.outreach_activity_ledger as ledger
        on
            not isempty(scope.dates)
            and scope.tenant_id = ledger.tenant_id
            and ledger.date >= scope.date_from
            and ledger.date < scope.date_to
            and scope.dates @> ledger.date
    where ledger.contact_id = '__erased__' or is_kept;
    return query
    select distinct ledger.tenant_id, 'campaign', ledger.campaign_id, lower_inf(scope.dates) and upper_inf(scope.dates)
    from ops.outreach_scope as scope
    inner join intermediate.outreach_transition_ledger as ledger
        on
            not isempty(scope.dates)
            and scope.tenant_id = ledger.tenant_id
            and ledger.date >= scope.date_from
            and ledger.date < scope.date_to
            and scope.dates @> ledger.date
    where ledger.campaign_id = '__erased__' or is_kept;
end
$$;
comment on function ops.outreach_kept_subjects is 'Subjects with ledger rows on the dates of this session''s refresh, which may stay without a source';

create or replace function ops.pruned(
    p_family text, p_tenant_ids text[], p_dates date[], p_policy text default ops.delete_policy()
) returns table (tenant_id text, date date, row_count bigint)
language plpgsql stable
as $$
begin
    -- A family without such a function follows its source, whatever became of it.
    if to_regprocedure(format('ops.%I(text[], date[], text)', p_family || '_pruned')) is not null then
        return query execute format('select * from ops.%I($1, $2, $3)', p_family || '_pruned')
        using p_tenant_ids, p_dates, p_policy;
    end if;
end
$$;
comment on function ops.pruned is 'Of pairs of tenant and date, those whose source was pruned, with the counted rows that rebuilding them would take out';

create or replace function ops.outreach_pruned(
    p_tenant_ids text[], p_dates date[], p_policy text default ops.delete_policy()
) returns table (tenant_id text, date date, row_count bigint)
language sql stable
as $$
    select pruned.tenant_id, pruned.date, sum(pruned.row_count)::bigint
    from (
        select pairs.tenant_id, array_agg(pairs.date) as dates
        from unnest(p_tenant_ids, p_dates) as pairs (tenant_id, date)
        group by pairs.tenant_id
    ) as asked
    cross join unnest(array['messages', 'events', 'transitions']) as source_name
    cross join lateral ops.outreach_pruned_from(source_name, asked.tenant_id, asked.dates) as pruned
    where
        p_policy = 'restate'
        -- An erased message is kept, its events with it; an event that went by itself is restated.
        or (p_policy = 'erase' and source_name = 'events' and ops.outreach_has_message(pruned.message_id))
    group by pruned.tenant_id, pruned.date
$$;
comment on function ops.outreach_pruned is 'As ops.pruned: dates before the first one that a source table still has, with rows that were counted from it and are gone';

create or replace function ops.outreach_pruned_from(p_source text, p_tenant_id text, p_dates date[])
returns table (tenant_id text, date date, message_id text, row_count bigint)
language plpgsql stable
as $$
declare
    counted text := case p_source
        when 'transitions' then
            'select tenant_id, date, null::text as message_id, transition_id as row_id'
            ' from intermediate.outreach_transition_ledger where campaign_id <> ''__erased__'''
        else
            'select tenant_id, date, message_id, case activity_id when ''message'' then message_id else activity_id end as row_id'
            ' from intermediate.outreach_activity_ledger'
            ' where verdict = ''counted'' and contact_id <> ''__erased__'' and activity_id '
            || case p_source when 'messages' then '= ''message''' else 'not in (''message'', ''inbound'')' end
    end || ' and tenant_id = $1 and date = any($2)';
    is_present text := format(
        'exists (select 1 from staging.%I as present where present.%I = counted.row_id)',
        'stg_outreach__' || p_source, left(p_source, -1) || '_id'
    );
    oldest date;
    is_left boolean;
    first_left date;
begin
    execute format('select min(counted.date) from (%s) as counted', counted) into oldest using p_tenant_id, p_dates;
    -- Retention takes the oldest: if the source still has a row of the first of the dates, it has
    -- pruned none of them. Mostly the first row looked at says so.
    execute format('select true from (%s) as counted where %s limit 1', counted, is_present)
    into is_left using p_tenant_id, array[oldest];
    if oldest is null or is_left then
        return;
    end if;
    execute format(
        $q$
            select (min(%1$s) at time zone max(tenants.timezone))::date
            from staging.%2$I as present
            inner join staging.stg_outreach__tenants as tenants on present.%3$I = tenants.tenant_id
            where present.%3$I = $1 and %1$s >= ops.min_event_at()
        $q$,
        case p_source when 'messages' then 'coalesce(sent_at, failed_at)' else 'occurred_at' end,
        'stg_outreach__' || p_source,
        case p_source when 'events' then 'event_tenant_id' else 'tenant_id' end
    ) into first_left using p_tenant_id;
    return query execute format(
        $q$
            select counted.tenant_id, counted.date, counted.message_id, count(*)
            from (%s) as counted
            where counted.date < $3 and not %s
            group by counted.tenant_id, counted.date, counted.message_id
        $q$, counted, is_present
    ) using p_tenant_id, p_dates, coalesce(first_left, 'infinity');
end
$$;
