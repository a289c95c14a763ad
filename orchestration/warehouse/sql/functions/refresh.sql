-- A refresh: begin, claim, lock, complete or fail. dbt's hooks and Python call the same.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace view ops.refresh as
select
    started.refresh_id,
    started.family,
    started.detail ->> 'trigger' as trigger,
    started.at as started_at,
    ended.at as ended_at,
    extract(epoch from ended.at - started.at) as seconds,
    (ended.detail ->> 'partitions')::bigint as partitions,
    ended.detail ->> 'error' as error,
    case
        when ended.event = 'completed' then 'completed'
        when ended.event = 'failed' then 'failed'
        -- dbt by itself has no session that lasts as long as its run, only one for each model
        when started.detail ->> 'trigger' = 'dbt' and greatest(
            started.at,
            (select max(built.at) from ops.refresh_model as built where built.refresh_id = started.refresh_id)
        ) > now() - interval '5 minutes' then 'running'
        when exists (
            select 1
            from pg_catalog.pg_locks as held
            where
                held.locktype = 'advisory'
                and held.granted
                and held.database = (select oid from pg_catalog.pg_database where datname = current_database())
                and (held.classid::bigint << 32 | held.objid::bigint)
                = pg_catalog.hashtextextended('rollups refresh ' || started.refresh_id, 0)
        ) then 'running'
        else 'lost'
    end as status
from ops.refresh_log as started
left join ops.refresh_log as ended
    on
        started.refresh_id = ended.refresh_id
        and started.family = ended.family
        and ended.event in ('completed', 'failed')
where started.event = 'started';
comment on view ops.refresh is 'One row a refresh; lost: it started, never ended, and nobody holds its lock';

create or replace function ops.begin_refresh(p_refresh_id uuid, p_family text, p_trigger text) returns void
language sql
as $$
    select ops.forget_lost_refreshes(p_family);
    insert into ops.refresh_log (refresh_id, event, family, detail)
    values (p_refresh_id, 'started', p_family, jsonb_build_object('trigger', p_trigger));
$$;

create or replace function ops.build_scope(p_refresh_id uuid, p_family text) returns bigint
language plpgsql
as $$
declare
    claimed bigint;
begin
    insert into ops.refresh_scope (refresh_id, family, tenant_id, dates, date_from, date_to)
    select
        p_refresh_id, p_family, tenant_id, dates,
        coalesce(lower(dates), case when isempty(dates) then 'infinity' else '-infinity' end::date),
        coalesce(upper(dates), case when isempty(dates) then '-infinity' else 'infinity' end::date)
    from (
        select
            tenant_id,
            coalesce(
                range_agg(
                    case grain
                        when 'tenant' then daterange(null, null)
                        when 'date' then daterange(key::date, key::date + 1)
                        else 'empty'::daterange
                    end
                ),
                '{}'
            ) as dates
        from ops.refresh_claim
        where refresh_id = p_refresh_id and family = p_family
        group by tenant_id
    ) as claims;
    get diagnostics claimed = row_count;
    -- Keys that a crashed refresh left behind are ours now.
    execute format($q$
        update ops.%I as touched set refresh_id = $1
        from ops.refresh_scope as scope
        where
            scope.refresh_id = $1 and scope.family = $2
            and scope.tenant_id = touched.tenant_id and touched.refresh_id <> $1
    $q$, p_family || '_touched') using p_refresh_id, p_family;
    insert into ops.refresh_log (refresh_id, event, family, detail)
    values (p_refresh_id, 'claimed', p_family, jsonb_build_object('tenants', claimed));
    analyze ops.refresh_claim;
    analyze ops.refresh_scope;
    return claimed;
end
$$;

create or replace function ops.claim_pending(
    p_refresh_id uuid, p_family text, p_tenant_ids text[] default null
) returns bigint
language plpgsql
as $$
begin
    -- A backfill from the command line does its work piece by piece, so that this refresh can pass
    -- in between; once nobody is at it any more, what it left is work like any other.
    insert into ops.refresh_claim (refresh_id, family, tenant_id, grain, key, seq)
    select p_refresh_id, family, tenant_id, grain, key, seq
    from ops.pending
    where
        family = p_family
        and (p_tenant_ids is null or tenant_id = any(p_tenant_ids))
        and not (reason = 'command-line backfill' and ops.is_held('rollups backfill ' || p_family));
    return ops.build_scope(p_refresh_id, p_family);
end
$$;
comment on function ops.claim_pending is 'Claims all pending work (of some tenants); returns the number of tenants in scope';

create or replace function ops.claim_partitions(
    p_refresh_id uuid, p_family text, p_tenant_ids text[], p_dates date[], p_reason text
) returns bigint
language plpgsql
as $$
begin
    perform ops.replay_quarantine(p_family);
    perform ops.note_pending(p_family, p_tenant_ids, 'date', p_dates::text[], p_reason);
    insert into ops.refresh_claim (refresh_id, family, tenant_id, grain, key, seq)
    select p_refresh_id, pending.family, pending.tenant_id, pending.grain, pending.key, pending.seq
    from ops.pending
    inner join (select distinct tenant_id, date::text as key from unnest(p_tenant_ids, p_dates) as w (tenant_id, date)) as wanted
        on pending.tenant_id = wanted.tenant_id and pending.key = wanted.key
    where pending.family = p_family and pending.grain = 'date';
    return ops.build_scope(p_refresh_id, p_family);
end
$$;
comment on function ops.claim_partitions is 'Notes pairs of tenant and date as pending and claims just them';

create or replace function ops.lock_writes(p_refresh_id uuid, p_family text) returns void
language plpgsql
as $$
begin
    -- Until the end of the transaction, in a fixed order: nobody else writes these tenants.
    perform pg_advisory_xact_lock(key)
    from ops.write_locks(p_refresh_id, p_family) as locks (key);
end
$$;

create or replace function ops.write_locks(p_refresh_id uuid, p_family text) returns setof bigint
language sql stable
begin atomic
    select hashtextextended('rollups write ' || p_family || ' ' || tenant_id, 0)
    from ops.refresh_scope
    where refresh_id = p_refresh_id and family = p_family
    order by 1;
end;
comment on function ops.write_locks is 'The locks of the tenants of a refresh, in the order in which everybody takes them';

-- Models of a refresh work side by side. A model excludes itself in other refreshes, and one that
-- writes changes excludes those that add them up: a change that commits later is not to be older.
create or replace function ops.lock_model(
    p_refresh_id uuid, p_family text, p_model text, p_changes text, p_writes_changes boolean
) returns void
language plpgsql
as $$
declare
    -- The server has room for few locks: beside its own one, a tenant takes one of these.
    shares constant integer := 64;
    bucket integer;
begin
    perform pg_advisory_xact_lock_shared(key)
    from ops.write_locks(p_refresh_id, p_family) as locks (key);
    for bucket in
        select distinct abs(key % shares)::integer
        from ops.write_locks(p_refresh_id, p_family) as locks (key)
        order by 1
    loop
        perform pg_advisory_xact_lock(hashtextextended('rollups model ' || p_model || ' ' || bucket, 0));
        if p_writes_changes then
            perform pg_advisory_xact_lock(hashtextextended('rollups changes ' || p_changes || ' ' || bucket, 0));
        elsif p_changes is not null then
            perform pg_advisory_xact_lock_shared(hashtextextended('rollups changes ' || p_changes || ' ' || bucket, 0));
        end if;
    end loop;
end
$$;
comment on function ops.lock_model is 'Locks the tenants of a refresh for one model, until the end of the transaction';

drop function if exists ops.enter_refresh(text, text);
create or replace function ops.enter_refresh(
    p_family text, p_default_refresh_id text, p_model text, p_changes text, p_writes_changes boolean
) returns void
language plpgsql
as $$
begin
    -- First statement of a model's transaction: pins the zone, names the refresh, and takes the
    -- locks of every tenant in scope, so that no other refresh writes this model beside it.
    perform set_config('TimeZone', 'UTC', false);
    perform ops.notice_lost_client();
    perform ops.join_refresh(p_default_refresh_id);
    perform ops.tell_workers();
    perform ops.require_driver();
    if p_model is null then
        perform ops.lock_writes(ops.current_refresh_id(), p_family);
    else
        perform ops.lock_model(ops.current_refresh_id(), p_family, p_model, p_changes, p_writes_changes);
    end if;
end
$$;
comment on function ops.enter_refresh is 'Without a model it locks out all others: one that prepares for them works alone';

create or replace function ops.log_model_rows(
    p_model text, p_inserted bigint, p_updated bigint, p_deleted bigint
) returns void
language sql
as $$
    -- The last statement of a model: now() is the start of its transaction.
    insert into ops.refresh_model (refresh_id, model, rows_inserted, rows_updated, rows_deleted, seconds)
    select
        ops.current_refresh_id(), p_model, p_inserted, p_updated, p_deleted,
        extract(epoch from clock_timestamp() - now())
    where ops.current_refresh_id() is not null
    on conflict (refresh_id, model) do update set
        rows_inserted = refresh_model.rows_inserted + excluded.rows_inserted,
        rows_updated = refresh_model.rows_updated + excluded.rows_updated,
        rows_deleted = refresh_model.rows_deleted + excluded.rows_deleted,
        seconds = refresh_model.seconds + excluded.seconds,
        at = excluded.at;
$$;

create or replace function ops.refreshed_partitions(p_refresh_id uuid, p_family text)
returns table (tenant_id text, date date)
language plpgsql stable
as $$
begin
    return query execute format($q$
        select claim.tenant_id, claim.key::date
        from ops.refresh_claim as claim
        where claim.refresh_id = $1 and claim.family = $2 and claim.grain = 'date'
        union
        select touched.tenant_id, touched.date
        from ops.%1$I as touched
        where touched.refresh_id = $1
        union
        select claim.tenant_id, days.date
        from ops.refresh_claim as claim
        cross join lateral ops.%2$I(claim.tenant_id) as days (date)
        where claim.refresh_id = $1 and claim.family = $2 and claim.grain = 'tenant'
        order by 1, 2
    $q$, p_family || '_touched', p_family || '_days') using p_refresh_id, p_family;
end
$$;
comment on function ops.refreshed_partitions is 'Partitions that a refresh has rebuilt; call it before ops.complete_refresh';

create or replace function ops.forget_claims(p_refresh_id uuid, p_family text) returns void
language plpgsql
as $$
begin
    delete from ops.refresh_claim where refresh_id = p_refresh_id and family = p_family;
    execute format('delete from intermediate.%I where refresh_id = $1', p_family || '_scope_subjects')
    using p_refresh_id;
end
$$;

create or replace function ops.complete_refresh(p_refresh_id uuid, p_family text) returns bigint
language plpgsql
as $$
declare
    partitions bigint;
begin
    -- A model of another refresh (dbt by itself holds no tenant) may be reading the touched keys.
    perform ops.lock_writes(p_refresh_id, p_family);
    perform ops.lock_pending(p_family);
    insert into ops.refresh_partition (refresh_id, family, tenant_id, date)
    select p_refresh_id, p_family, tenant_id, date
    from ops.refreshed_partitions(p_refresh_id, p_family);
    get diagnostics partitions = row_count;

    delete from ops.pending
    using ops.refresh_claim as claim
    where
        claim.refresh_id = p_refresh_id and claim.family = p_family
        and pending.family = claim.family and pending.tenant_id = claim.tenant_id
        and pending.grain = claim.grain and pending.key = claim.key
        and pending.seq = claim.seq;
    execute format('delete from ops.%I where refresh_id = $1', p_family || '_touched') using p_refresh_id;
    if to_regprocedure(format('ops.%I(uuid)', p_family || '_forget_changes')) is not null then
        execute format('select ops.%I($1)', p_family || '_forget_changes') using p_refresh_id;
    end if;
    perform ops.forget_claims(p_refresh_id, p_family);
    insert into ops.refresh_log (refresh_id, event, family, detail)
    values (p_refresh_id, 'completed', p_family, jsonb_build_object('partitions', partitions));
    return partitions;
end
$$;
comment on function ops.complete_refresh is 'Strikes the claimed work that was not noted again since, and closes the log';

create or replace function ops.fail_refresh(p_refresh_id uuid, p_family text, p_error text) returns void
language plpgsql
as $$
begin
    perform ops.forget_claims(p_refresh_id, p_family);
    insert into ops.refresh_log (refresh_id, event, family, detail)
    values (p_refresh_id, 'failed', p_family, jsonb_build_object('error', p_error));
end
$$;
comment on function ops.fail_refresh is 'Gives the claims up (the work stays pending) and logs why';

create or replace function ops.begin_dbt_refresh(p_invocation_id text) returns void
language plpgsql
as $$
declare
    family_name text;
begin
    perform ops.notice_lost_client();
    perform ops.limit_session();
    for family_name in select unnest(string_to_array(value, ',')) from ops.config where name = 'families' loop
        perform ops.capture(family_name);
        perform ops.begin_refresh(p_invocation_id::uuid, family_name, 'dbt');
        perform ops.claim_pending(p_invocation_id::uuid, family_name);
    end loop;
end
$$;
comment on function ops.begin_dbt_refresh is 'Captures and claims all pending work of every family for a dbt command that runs by itself';

create or replace function ops.try_lock_tenants(p_family text, p_tenant_ids text[])
returns table (tenant_id text)
language sql
as $$
    -- Session locks in a fixed order; gives back the tenants that another refresh holds.
    select wanted.tenant_id
    from (select distinct unnest(p_tenant_ids) as tenant_id order by 1 offset 0) as wanted
    where not pg_try_advisory_lock(hashtextextended('rollups refresh ' || p_family || ' ' || wanted.tenant_id, 0));
$$;

create or replace function ops.hold_refresh(p_refresh_id uuid) returns void
language sql
as $$
    -- Held by the session that drives the refresh: with it gone, the refresh is lost, not running.
    select pg_advisory_lock(hashtextextended('rollups refresh ' || p_refresh_id, 0));
$$;

create or replace function ops.partition_rows(p_refresh_id uuid, p_family text, p_relation regclass)
returns table (tenant_id text, date date, row_count bigint)
language plpgsql stable
as $$
begin
    return query execute format($q$
        select partitions.tenant_id, partitions.date, count(counted.tenant_id)
        from ops.refreshed_partitions(%1$L, %2$L) as partitions
        left join %3$s as counted
            on partitions.tenant_id = counted.tenant_id and partitions.date = counted.date
        group by partitions.tenant_id, partitions.date
    $q$, p_refresh_id, p_family, p_relation);
end
$$;

create or replace function ops.unlock_tenants(p_family text, p_tenant_ids text[]) returns bigint
language sql
as $$
    select count(*) filter (
        where pg_advisory_unlock(hashtextextended('rollups refresh ' || p_family || ' ' || wanted.tenant_id, 0))
    )
    from (select distinct unnest(p_tenant_ids) as tenant_id) as wanted;
$$;

create or replace function ops.waiting_refreshes(p_family text) returns bigint
language sql
as $$
    select count(*)
    from ops.refresh as waiting
    where
        waiting.family = p_family
        and waiting.status = 'running'
        and waiting.trigger <> 'dbt'
        and not exists (
            select 1 from ops.refresh_log as claimed
            where
                claimed.refresh_id = waiting.refresh_id
                and claimed.family = waiting.family
                and claimed.event = 'claimed'
        );
$$;
comment on function ops.waiting_refreshes is 'Refreshes that started and have no scope yet: they capture, or wait for tenants that others hold';
