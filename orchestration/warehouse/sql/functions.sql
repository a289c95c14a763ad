-- The machinery of a refresh, created anew at every deploy. dbt's hooks and Python call the same.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.is_tenant_id(tenant_id text) returns boolean
language sql immutable parallel safe
return tenant_id is not null
    and length(tenant_id) between 1 and 200
    and tenant_id !~ '[|,[:cntrl:]]'
    and tenant_id not like '%...%'
    and tenant_id = trim(tenant_id);
comment on function ops.is_tenant_id is 'Whether an id can be a partition key: no | , ... control characters or outer spaces, at most 200 characters';

create or replace function ops.current_refresh_id() returns uuid
language sql stable parallel safe
return nullif(current_setting('rollups.refresh_id', true), '')::uuid;

insert into ops.timezone (name)
select name from pg_catalog.pg_timezone_names where name !~ '^(posix|right)/'
on conflict do nothing;

create or replace function ops.canonical_timezone(zone text) returns text
language sql stable
as $$
    -- A name that only this server's time zone data lacks stays as it was given.
    select coalesce(current_name.name, given.name)
    from (select zone as name) as asked
    left join staging.timezone_aliases as legacy on asked.name = legacy.alias
    left join ops.timezone as current_name on legacy.timezone = current_name.name
    left join ops.timezone as given on asked.name = given.name
$$;
comment on function ops.canonical_timezone is 'The current IANA name of a zone, also for friendly and legacy names; NULL for what is no zone (POSIX strings are none)';

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
        -- dbt by itself has no session that lasts as long as its run
        when started.detail ->> 'trigger' = 'dbt' and started.at > now() - interval '6 hours' then 'running'
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

-- Pending work -----------------------------------------------------------------------------------

drop function if exists ops.note_pending(text, text[], text, text[], text);
create or replace function ops.note_pending(
    p_family text, p_tenant_ids text[], p_grain text, p_keys text[], p_reason text,
    p_since timestamptz default now()
) returns bigint
language sql
as $$
    -- p_since: from when on the rollups may lack it; work noted again keeps its first time.
    with noted as (
        insert into ops.pending (family, tenant_id, grain, key, reason, noted_at)
        select distinct p_family, work.tenant_id, p_grain, work.key, p_reason, p_since
        from unnest(p_tenant_ids, p_keys) as work (tenant_id, key)
        on conflict (family, tenant_id, grain, key)
        do update set
            reason = excluded.reason,
            noted_at = least(pending.noted_at, excluded.noted_at),
            seq = excluded.seq
        returning 1
    )
    select count(*) from noted
$$;

create or replace function ops.safe_horizon() returns timestamptz
language plpgsql
as $$
declare
    oldest timestamptz;
    hidden boolean;
begin
    select
        min(xact_start),
        bool_or(query = '<insufficient privilege>')
    into oldest, hidden
    from pg_catalog.pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid();

    select least(oldest, min(prepared)) into oldest
    from pg_catalog.pg_prepared_xacts where database = current_database();

    -- Without pg_read_all_stats the transactions of other roles are hidden: the overlap must cover them.
    if hidden then
        oldest := least(oldest, clock_timestamp() - make_interval(secs => ops.config_number('capture_overlap_seconds')));
    end if;
    return coalesce(oldest, clock_timestamp());
end
$$;
comment on function ops.safe_horizon is 'Start of the oldest transaction that may still commit; take it before reading the source';

create or replace function ops.config_number(p_name text) returns double precision
language sql stable
as $$ select value::double precision from ops.config where name = p_name $$;

create or replace function ops.capture(p_family text) returns bigint
language plpgsql
set timezone = 'UTC'
as $$
declare
    src ops.capture_source;
    horizon timestamptz := ops.safe_horizon();
    overlap interval := make_interval(secs => ops.config_number('capture_overlap_seconds'));
    known_to timestamptz;
    complete_to timestamptz;
    noted bigint := 0;
    noted_now bigint;
begin
    -- One capture at a time: two would note the same rows and fight over the watermark.
    perform pg_advisory_xact_lock(hashtextextended('rollups capture ' || p_family, 0));
    noted := ops.note_changed_rules(p_family) + ops.note_changed_zones(p_family);
    create temporary table if not exists fresh_row (
        tenant_id text, row_id text, subject_key text, ingested_at timestamptz
    ) on commit delete rows;

    for src in select * from ops.capture_source where family = p_family order by source_table loop
        select ingested_to, captured_at into known_to, complete_to
        from ops.watermark where family = p_family and source_table = src.source_table;

        if known_to is null or known_to = '-infinity' then
            execute format(
                'select max(ingested_at) from %s where ingest_watermark <= now() + interval ''1 day''', src.relation
            ) into known_to;
            known_to := least(horizon, coalesce(known_to, '-infinity'));
            execute format($q$
                insert into ops.seen (family, source_table, row_id, ingested_at)
                select %1$L, %2$L, %3$s, ingested_at from %4$s where ingest_watermark >= $1
            $q$, p_family, src.source_table, src.row_id, src.relation) using known_to - overlap;
            execute format($q$
                select ops.note_pending(
                    %1$L, array_agg(tenant_id), 'tenant', array_agg(''::text), 'first load', $1
                )
                from (select distinct tenant_id from %2$s where ops.is_tenant_id(tenant_id)) as tenants
            $q$, p_family, src.relation) into noted_now using coalesce(complete_to, '-infinity');
            insert into ops.watermark (family, source_table, ingested_to, captured_at)
            values (p_family, src.source_table, known_to, least(horizon, now()))
            on conflict (family, source_table) do update
            set ingested_to = excluded.ingested_to, captured_at = excluded.captured_at;
            noted := noted + noted_now;
            continue;
        end if;

        truncate fresh_row;
        execute format($q$
            insert into fresh_row
            select tenant_id, %1$s, %2$s, ingested_at from %3$s where ingest_watermark >= $1
        $q$, src.row_id, src.subject_key, src.relation) using known_to - overlap;
        delete from fresh_row
        using ops.seen
        where
            seen.family = p_family
            and seen.source_table = src.source_table
            and seen.row_id = fresh_row.row_id
            and seen.ingested_at = fresh_row.ingested_at;

        select ops.note_pending(
            p_family, array_agg(tenant_id), src.subject_grain, array_agg(subject_key),
            'new rows in ' || src.source_table, complete_to
        ) into noted_now
        from fresh_row where ops.is_tenant_id(tenant_id);
        noted := noted + noted_now;

        -- The newest row seen, never the clock: what was taken in under a slower clock comes later.
        known_to := greatest(
            known_to, least(horizon, coalesce((select max(ingested_at) from fresh_row), known_to))
        );
        insert into ops.seen (family, source_table, row_id, ingested_at)
        select p_family, src.source_table, row_id, ingested_at
        from fresh_row
        where ingested_at >= known_to - overlap
        on conflict (family, source_table, row_id) do update set ingested_at = excluded.ingested_at;
        delete from ops.seen
        where family = p_family and source_table = src.source_table and ingested_at < known_to - overlap;
        update ops.watermark set ingested_to = known_to, captured_at = least(horizon, now())
        where family = p_family and source_table = src.source_table;
    end loop;
    return noted;
end
$$;
comment on function ops.capture is 'Notes as pending what was ingested since the last capture; returns how many pieces of work';

-- A refresh: begin, claim, (dbt), complete or fail -------------------------------------------------

create or replace function ops.begin_refresh(p_refresh_id uuid, p_family text, p_trigger text) returns void
language sql
as $$
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

create or replace function ops.enter_refresh(p_family text, p_default_refresh_id text) returns void
language plpgsql
as $$
begin
    -- First statement of a model's transaction: pins the zone, names the refresh, and takes the
    -- lock of every tenant in scope in a fixed order, so that no other refresh writes beside it.
    perform set_config('TimeZone', 'UTC', false);
    if ops.current_refresh_id() is null then
        perform set_config('rollups.refresh_id', p_default_refresh_id, false);
    end if;
    perform pg_advisory_xact_lock(key)
    from (
        select hashtextextended('rollups write ' || family || ' ' || tenant_id, 0) as key
        from ops.refresh_scope
        where refresh_id = ops.current_refresh_id() and family = p_family
        order by 1
        offset 0
    ) as locks;
end
$$;

create or replace function ops.log_model_rows(
    p_model text, p_inserted bigint, p_updated bigint, p_deleted bigint
) returns void
language sql
as $$
    insert into ops.refresh_model (refresh_id, model, rows_inserted, rows_updated, rows_deleted)
    select ops.current_refresh_id(), p_model, p_inserted, p_updated, p_deleted
    where ops.current_refresh_id() is not null
    on conflict (refresh_id, model) do update set
        rows_inserted = refresh_model.rows_inserted + excluded.rows_inserted,
        rows_updated = refresh_model.rows_updated + excluded.rows_updated,
        rows_deleted = refresh_model.rows_deleted + excluded.rows_deleted,
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

-- Plain `dbt build`: dbt's own invocation id is the refresh id ---------------------------------------

create or replace function ops.begin_dbt_refresh(p_invocation_id text) returns void
language plpgsql
as $$
declare
    family_name text;
begin
    for family_name in select unnest(string_to_array(value, ',')) from ops.config where name = 'families' loop
        perform ops.capture(family_name);
        perform ops.begin_refresh(p_invocation_id::uuid, family_name, 'dbt');
        perform ops.claim_pending(p_invocation_id::uuid, family_name);
    end loop;
end
$$;
comment on function ops.begin_dbt_refresh is 'Captures and claims all pending work of every family for a dbt command that runs by itself';

-- Locks and facts for the people who drive a refresh -------------------------------------------------

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

drop function if exists ops.known_tenants(text) cascade;
create function ops.known_tenants(p_family text)
returns table (tenant_id text, tenant_name text, timezone text, problem text)
language plpgsql stable
as $$
begin
    return query execute format($q$
        select
            tenants.tenant_id,
            tenants.tenant_name,
            tenants.timezone,
            case
                when not ops.is_tenant_id(tenants.tenant_id)
                    then 'its id has a comma, a bar, ''...'', control characters or outer spaces'
                else tenants.problem
            end
        from staging.%I as tenants
        order by tenants.tenant_id
    $q$, 'stg_' || p_family || '__tenants');
end
$$;
comment on function ops.known_tenants is 'Tenants of the source; problem: why a tenant has no rollups (NULL: nothing is wrong)';

create or replace function ops.source_dates(p_family text)
returns table (first_date date, last_date date)
language plpgsql stable
as $$
begin
    return query execute format('select * from ops.%I()', p_family || '_source_dates');
end
$$;
comment on function ops.source_dates is 'First and last date on which the source has activity, a day wider on both sides; NULL when empty';

create or replace function ops.first_rollup_date(p_family text) returns date
language plpgsql stable
as $$
declare
    first_date date;
begin
    execute format('select ops.%I()', p_family || '_first_rollup_date') into first_date;
    return first_date;
end
$$;
comment on function ops.first_rollup_date is 'First date with a rollup; NULL before the first refresh';

create or replace function ops.min_event_at() returns timestamptz
language sql stable
as $$ select value::date::timestamp at time zone 'UTC' from ops.config where name = 'min_event_date' $$;

create or replace function ops.set_timezone(p_family text, p_tenant_id text, p_timezone text) returns boolean
language plpgsql
as $$
declare
    previous text;
begin
    -- Returns whether anything changed; a change marks the tenant's whole history pending.
    select tenants.timezone into previous from ops.known_tenants(p_family) as tenants
    where tenants.tenant_id = p_tenant_id;
    insert into ops.tenant_setting (family, tenant_id, timezone)
    values (p_family, p_tenant_id, p_timezone)
    on conflict (family, tenant_id) do update set timezone = excluded.timezone, updated_at = now();
    if previous is not distinct from p_timezone then
        return false;
    end if;
    insert into ops.tenant_zone (family, tenant_id, timezone)
    values (p_family, p_tenant_id, coalesce(previous, ''))
    on conflict do nothing;
    perform ops.note_changed_zones(p_family);
    return true;
end
$$;

create or replace function ops.set_read_source(p_family text, p_tenant_id text, p_read_source text) returns void
language sql
as $$
    insert into ops.tenant_setting (family, tenant_id, read_source)
    values (p_family, p_tenant_id, p_read_source)
    on conflict (family, tenant_id) do update set read_source = excluded.read_source, updated_at = now();
$$;
comment on function ops.set_read_source is 'Whether reads of a tenant with source auto may use its rollups (auto) or never do (raw)';

create or replace function ops.note_changed_zones(p_family text) returns bigint
language sql
as $$
    -- A zone that is another than the rollups were dated by: all old dates go, all new ones come.
    with known as (
        select tenant_id, coalesce(timezone, '') as timezone
        from ops.known_tenants(p_family)
        where ops.is_tenant_id(tenant_id)
    ),

    changed as (
        update ops.tenant_zone as zones set timezone = known.timezone
        from known
        where zones.family = p_family and zones.tenant_id = known.tenant_id and zones.timezone <> known.timezone
        returning zones.tenant_id, zones.timezone
    ),

    added as (
        insert into ops.tenant_zone (family, tenant_id, timezone)
        select p_family, tenant_id, timezone from known
        on conflict do nothing
    )

    select coalesce(sum(
        ops.note_pending(
            p_family, array[tenant_id], 'tenant', array[''], 'time zone ' || coalesce(nullif(timezone, ''), 'taken away')
        )
    ), 0)::bigint
    from changed
$$;
comment on function ops.note_changed_zones is 'Marks the history of tenants pending whose zone is not the one their rollups are dated by';

create or replace function ops.note_changed_rules(p_family text) returns bigint
language plpgsql
as $$
declare
    seed_name text;
    new_hash text;
    old_hash text;
    noted bigint := 0;
begin
    for seed_name in select rules.seed from ops.rule_seed as rules where rules.family = p_family loop
        execute format(
            'select md5(coalesce(string_agg(s::text, E''\n'' order by s::text), '''')) from staging.%I as s', seed_name
        ) into new_hash;
        select content_hash into old_hash from ops.seed_version where seed = seed_name;
        if old_hash is distinct from new_hash then
            insert into ops.seed_version (seed, content_hash) values (seed_name, new_hash)
            on conflict (seed) do update set content_hash = excluded.content_hash, updated_at = now();
            if old_hash is not null then
                noted := noted + ops.note_pending(
                    p_family, array_agg(tenant_id), 'tenant', array_agg(''::text), 'rules changed in ' || seed_name
                )
                from ops.known_tenants(p_family) where ops.is_tenant_id(tenant_id);
            end if;
        end if;
    end loop;
    return noted;
end
$$;
comment on function ops.note_changed_rules is 'A changed rule seed holds for all history: marks every tenant pending';

create or replace function ops.unlock_tenants(p_family text, p_tenant_ids text[]) returns bigint
language sql
as $$
    select count(*) filter (
        where pg_advisory_unlock(hashtextextended('rollups refresh ' || p_family || ' ' || wanted.tenant_id, 0))
    )
    from (select distinct unnest(p_tenant_ids) as tenant_id) as wanted;
$$;

create or replace function ops.is_held(p_lock text) returns boolean
language sql
as $$
    -- Whether any session holds the advisory lock of this name.
    select exists (
        select 1
        from pg_catalog.pg_locks as held
        where
            held.locktype = 'advisory'
            and held.granted
            and held.database = (select oid from pg_catalog.pg_database where datname = current_database())
            and (held.classid::bigint << 32 | held.objid::bigint) = hashtextextended(p_lock, 0)
    );
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

-- Status -------------------------------------------------------------------------------------------

drop function if exists ops.tenant_status(text);
create function ops.tenant_status(p_family text)
returns table (
    tenant_id text,
    tenant_name text,
    timezone text,
    problem text,
    complete_through timestamptz,
    pending bigint,
    pending_since timestamptz,
    refreshed_at timestamptz,
    refresh_seconds double precision,
    refresh_status text
)
language sql stable
as $$
    -- Complete through: all that had come in before is in the rollups. Nothing pending: up to the
    -- last look at the source; else up to when the oldest pending work may have come in.
    with capture as (
        select case when bool_and(watermark.captured_at is not null) then min(watermark.captured_at) end as captured_at
        from ops.capture_source as source
        left join ops.watermark
            on source.family = watermark.family and source.source_table = watermark.source_table
        where source.family = p_family
    ),

    work as (
        select
            pending.tenant_id,
            count(*) as pieces,
            min(pending.noted_at) as since,
            -- a backfill does again what has been done: nothing is missing meanwhile
            min(pending.noted_at) filter (where pending.reason <> 'command-line backfill') as missing_since
        from ops.pending
        where pending.family = p_family
        group by pending.tenant_id
    ),

    -- Scopes are kept by refresh: a bounded number of refreshes keeps this quick.
    recent as (
        select refresh.*
        from ops.refresh
        where refresh.family = p_family and refresh.started_at > now() - interval '30 days'
        order by refresh.started_at desc
        limit 1000
    ),

    latest as (
        select distinct on (scope.tenant_id)
            scope.tenant_id,
            coalesce(recent.ended_at, recent.started_at) as at,
            recent.seconds,
            recent.status
        from recent
        inner join ops.refresh_scope as scope
            on recent.refresh_id = scope.refresh_id and recent.family = scope.family
        order by scope.tenant_id, recent.started_at desc
    )

    select
        tenants.tenant_id,
        tenants.tenant_name,
        tenants.timezone,
        tenants.problem,
        case
            when tenants.problem is null and capture.captured_at is not null
                then nullif(least(capture.captured_at, work.missing_since), '-infinity')
        end,
        coalesce(work.pieces, 0),
        nullif(work.since, '-infinity'),
        latest.at,
        latest.seconds::double precision,
        latest.status
    from ops.known_tenants(p_family) as tenants
    cross join capture
    left join work on tenants.tenant_id = work.tenant_id
    left join latest on tenants.tenant_id = latest.tenant_id
    order by tenants.tenant_id;
$$;
comment on function ops.tenant_status is 'One row a tenant: through when its rollups are complete, what is pending, its last refresh (of 30 days)';

create or replace function ops.set_aside(p_family text)
returns table (tenant_id text, reason text, row_count bigint)
language plpgsql stable
as $$
begin
    return query execute format('select * from ops.%I()', p_family || '_set_aside');
end
$$;
comment on function ops.set_aside is 'Rows that are in no rollup, by reason: duplicate, or why they are in quarantine';

create or replace function ops.size_of_tenant(p_family text, p_tenant_id text)
returns table (days bigint, row_count bigint)
language plpgsql stable
as $$
begin
    return query execute format(
        'select (select count(*) from ops.%I($1)), ops.%I($1)', p_family || '_days', p_family || '_rows'
    ) using p_tenant_id;
end
$$;
comment on function ops.size_of_tenant is 'Days a tenant has activity on, and its rows in the rollups: what a change of zone rebuilds';
