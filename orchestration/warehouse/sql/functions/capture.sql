-- Change capture: what came in since last time becomes pending work.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.lock_pending(p_family text) returns void
language sql
as $$
    -- Who notes or strikes many pieces of work, in whatever order, does so alone: a capture, a
    -- model, a completion. Also two captures would note the same rows and fight over the watermark.
    select pg_advisory_xact_lock(hashtextextended('rollups pending ' || p_family, 0));
$$;
comment on function ops.lock_pending is 'Until the end of the transaction nobody else writes a family''s pending work; taken after any lock of tenants';

drop function if exists ops.note_pending(text, text[], text, text[], text);
create or replace function ops.note_pending(
    p_family text, p_tenant_ids text[], p_grain text, p_keys text[], p_reason text,
    p_since timestamptz default now()
) returns bigint
language plpgsql
as $$
-- p_since: from when on the rollups may lack it; work noted again keeps its first time.
declare
    pieces bigint;
begin
    if cardinality(p_tenant_ids) > 0 then
        perform ops.lock_pending(p_family);
    end if;
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
    select count(*) into pieces from noted;
    return pieces;
end
$$;

drop function if exists ops.safe_horizon();
create or replace function ops.safe_horizon(p_earlier timestamptz default null) returns timestamptz
language plpgsql
as $$
-- p_earlier: an earlier safe horizon, for when a prepared transaction hides its start.
declare
    -- The clock first, and a second off: a transaction shows a moment after it has begun.
    horizon timestamptz := clock_timestamp() - interval '1 second';
    overlap interval := make_interval(secs => ops.config_number('capture_overlap_seconds'));
    oldest timestamptz;
    hidden boolean;
    prepared_at timestamptz;
begin
    perform pg_stat_clear_snapshot();
    select
        min(xact_start),
        bool_or(query = '<insufficient privilege>' or state = 'disabled')
    into oldest, hidden
    from pg_catalog.pg_stat_activity
    where
        datname = current_database()
        and pid <> pg_backend_pid()
        and backend_type is distinct from 'autovacuum worker';
    horizon := least(horizon, oldest);

    -- Without pg_read_all_stats (or track_activities) transactions are hidden: the overlap must cover them.
    if hidden then
        horizon := least(horizon, clock_timestamp() - overlap);
    end if;

    -- A prepared transaction tells when it was prepared, not when it began. Whatever was safe
    -- before still is: it was seen running then, or has begun since.
    select min(prepared) into prepared_at
    from pg_catalog.pg_prepared_xacts where database = current_database();
    if prepared_at is not null then
        horizon := least(horizon, coalesce(p_earlier, prepared_at - overlap));
    end if;
    return horizon;
end
$$;
comment on function ops.safe_horizon is 'Time before which no transaction that may still commit has begun; take it before reading the source';

create or replace function ops.capture(p_family text) returns bigint
language plpgsql
as $$
begin
    -- The horizon has to be older than what is read.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'ops.capture in a % transaction would read the source as of its start',
            current_setting('transaction_isolation')
            using hint = 'set default_transaction_isolation = ''read committed'' for this role';
    end if;
    return ops.look_for_changes(p_family);
end
$$;
comment on function ops.capture is 'Notes as pending what was ingested since the last capture; returns how many pieces of work';

create or replace function ops.look_for_changes(p_family text) returns bigint
language plpgsql
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    src ops.capture_source;
    horizon timestamptz;
    overlap interval := make_interval(secs => ops.config_number('capture_overlap_seconds'));
    known_to timestamptz;
    complete_to timestamptz;
    newest timestamptz;
    by_triggers boolean := (select value = 'triggers' from ops.config where name = 'change_capture');
    noted_before timestamptz;
    noted bigint := 0;
    noted_now bigint;
begin
    if by_triggers then
        perform ops.require_triggers(p_family);
    end if;
    perform ops.lock_pending(p_family);
    select ops.safe_horizon(min(captured_at)) into noted_before from ops.watermark where family = p_family;
    noted := ops.note_changed_rules(p_family) + ops.note_changed_first_date(p_family)
        + ops.note_changed_zones(p_family) + ops.take_change_queue(p_family);

    for src in select * from ops.capture_source where family = p_family order by source_table loop
        select ingested_to, captured_at into known_to, complete_to
        from ops.watermark where family = p_family and source_table = src.source_table;

        -- Since a look at what came in before the triggers did, they tell of everything.
        if by_triggers and complete_to > (
            select installed_at from ops.trigger_installation
            where family = p_family and source_table = src.source_table
        ) then
            noted := noted + ops.replay_quarantine(src, complete_to - overlap);
            update ops.watermark set captured_at = least(noted_before, now())
            where family = p_family and source_table = src.source_table;
            delete from ops.seen where family = p_family and source_table = src.source_table;
            continue;
        end if;
        horizon := ops.safe_horizon(complete_to);

        if known_to is null or (
            known_to = '-infinity'
            and not exists (select from ops.seen where family = p_family and source_table = src.source_table)
            and not exists (select from ops.quarantined_row where family = p_family and source_table = src.source_table)
        ) then
            execute format(
                'select max(ingested_at) from %s where isfinite(ingested_at) and ingested_at <= now() + interval ''1 day''',
                src.relation
            ) into known_to;
            known_to := least(horizon, coalesce(known_to, '-infinity'));
            execute format($q$
                insert into ops.seen (family, source_table, row_id, ingested_at, content_hash)
                select %1$L, %2$L, row_id, max(ingested_at), bit_xor(content_hash)
                from %3$s where fault is null and ops.is_arriving(ingest_watermark, $1)
                group by row_id
                on conflict (family, source_table, row_id) do update
                set ingested_at = excluded.ingested_at, content_hash = excluded.content_hash
            $q$, p_family, src.source_table, src.relation) using known_to - overlap;
            perform ops.read_arrivals(src, null, true);
            perform ops.keep_quarantine(src);
            execute format($q$
                select ops.note_pending(
                    %1$L, array_agg(tenant_id), 'tenant', array_agg(''::text), 'first load', $1
                )
                from (
                    select tenant_id from ops.known_tenants(%1$L) where ops.is_tenant_id(tenant_id)
                    intersect
                    select tenant_id from %2$s
                ) as tenants
            $q$, p_family, src.relation) into noted_now using coalesce(complete_to, '-infinity');
            insert into ops.watermark (family, source_table, ingested_to, captured_at)
            values (p_family, src.source_table, known_to, least(horizon, now()))
            on conflict (family, source_table) do update
            set ingested_to = excluded.ingested_to, captured_at = excluded.captured_at;
            noted := noted + noted_now;
            continue;
        end if;

        perform ops.read_arrivals(src, known_to - overlap);
        noted := noted + ops.note_rows_gone_bad(src);
        perform ops.keep_quarantine(src);
        -- Nobody can have come in from tomorrow on, and it must not blind us for what comes until then.
        select max(ingested_at) into newest
        from fresh_row
        where isfinite(ingested_at) and ingested_at <= now() + interval '1 day';
        -- Two changes may carry the same ingest time: what tells them apart is the content.
        delete from fresh_row
        using ops.seen
        where
            seen.family = p_family
            and seen.source_table = src.source_table
            and seen.row_id = fresh_row.row_id
            and seen.content_hash = fresh_row.content_hash;

        select ops.note_pending(
            p_family, array_agg(tenant_id), src.subject_grain, array_agg(subject_key),
            'new rows in ' || src.source_table, complete_to
        ) into noted_now
        from fresh_row where fault is null;
        noted := noted + noted_now;

        -- The newest row seen, never the clock: what was taken in under a slower clock comes later.
        known_to := greatest(known_to, least(horizon, coalesce(newest, known_to)));
        insert into ops.seen (family, source_table, row_id, ingested_at, content_hash)
        select distinct on (row_id) p_family, src.source_table, row_id, ingested_at, content_hash
        from fresh_row
        where fault is null and ops.is_arriving(ingested_at, known_to - overlap)
        order by row_id, ingested_at desc
        on conflict (family, source_table, row_id) do update
        set ingested_at = excluded.ingested_at, content_hash = excluded.content_hash;
        delete from ops.seen
        where
            family = p_family and source_table = src.source_table
            and not ops.is_arriving(ingested_at, known_to - overlap);
        update ops.watermark set ingested_to = known_to, captured_at = least(horizon, now())
        where family = p_family and source_table = src.source_table;
    end loop;
    return noted;
end
$$;
comment on function ops.look_for_changes is 'The work of a capture; by itself only in a transaction that takes it back';

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
    is_known boolean;
    present jsonb;
    changed jsonb;
    noted bigint := 0;
    noted_now bigint;
begin
    for seed_name in select rules.seed from ops.rule_seed as rules where rules.family = p_family loop
        is_known := exists (select 1 from ops.rule_row as known where known.seed = seed_name);
        execute format('select jsonb_agg(to_jsonb(seed)) from staging.%I as seed', seed_name) into present;
        execute format($q$
            with present as (
                select rule from jsonb_array_elements($1) as rules (rule)
            ),

            gone as (
                delete from ops.rule_row as known
                where known.seed = %1$L and known.rule not in (select present.rule from present)
                returning known.rule
            ),

            come as (
                insert into ops.rule_row (seed, rule)
                select %1$L, present.rule from present
                on conflict do nothing
                returning rule
            )

            select jsonb_agg(rule) from (select rule from gone union all select rule from come) as rules
        $q$, seed_name) into changed using present;
        if is_known and changed is not null then
            execute format($q$
                select ops.note_affected(
                    $3, array_agg(tenant_id), array_agg(grain), array_agg(key), 'rules changed in ' || $1
                )
                from ops.%1$I($1, $2)
            $q$, p_family || '_affected') into noted_now using seed_name, changed, p_family;
            noted := noted + noted_now;
        end if;
    end loop;
    return noted;
end
$$;
comment on function ops.note_changed_rules is 'Marks pending what a changed row of a rule seed concerns, over all history';

create or replace function ops.note_changed_first_date(p_family text) returns bigint
language plpgsql
as $$
declare
    rule_name text := p_family || '_min_event_date';
    first_at timestamptz := ops.min_event_at();
    known_at timestamptz := (select (known.rule #>> '{}')::timestamptz from ops.rule_row as known where known.seed = rule_name);
    src ops.capture_source;
    noted bigint := 0;
    noted_now bigint;
begin
    if known_at is not distinct from first_at then
        return 0;
    end if;
    delete from ops.rule_row where seed = rule_name;
    insert into ops.rule_row (seed, rule) values (rule_name, to_jsonb(first_at));
    if known_at is null then
        return 0;
    end if;
    for src in select * from ops.capture_source where family = p_family order by source_table loop
        -- Rows between the two dates, and those that are filed by the date for want of any other.
        execute format($q$
            select ops.note_affected(
                $1, array_agg(tenant_id), array_agg($2::text), array_agg(%1$s), 'ROLLUPS_MIN_EVENT_DATE changed'
            )
            from %2$s
            where
                (occurred_at >= least($3, $4) and occurred_at < greatest($3, $4))
                or ops.filed_at(occurred_at, ingested_at, $3) <> ops.filed_at(occurred_at, ingested_at, $4)
        $q$, src.subject_key, src.relation) into noted_now
        using p_family, src.subject_grain, known_at, first_at;
        noted := noted + noted_now;
        perform ops.read_arrivals(src, null, true);
        perform ops.keep_quarantine(src);
    end loop;
    return noted;
end
$$;
comment on function ops.note_changed_first_date is 'Marks pending what another first date of activity (ROLLUPS_MIN_EVENT_DATE) lets in, keeps out or moves';

create or replace function ops.note_affected(
    p_family text, p_tenant_ids text[], p_grains text[], p_keys text[], p_reason text
) returns bigint
language sql
as $$
    with work as (
        select
            affected.*,
            count(*) over (partition by affected.tenant_id) > ops.most_subjects() as is_much
        from (
            select distinct listed.tenant_id, listed.grain, listed.key
            from unnest(p_tenant_ids, p_grains, p_keys) as listed (tenant_id, grain, key)
            -- what cannot be a key is in quarantine
            where ops.is_tenant_id(listed.tenant_id) and octet_length(listed.key) <= 510
        ) as affected
    ),

    noted as (
        select ops.note_pending(
            p_family, array_agg(tenant_id), case when is_much then 'tenant' else grain end,
            array_agg(case when is_much then '' else key end), p_reason
        ) as pieces
        from work
        group by case when is_much then 'tenant' else grain end
    )

    select coalesce(sum(pieces), 0)::bigint from noted
$$;
comment on function ops.note_affected is 'Notes subjects as pending; of a tenant with very many of them the whole history instead';

create or replace function ops.most_subjects() returns bigint
language sql immutable
return 10000;
comment on function ops.most_subjects is 'Above so many changed subjects of a tenant, its whole history is recomputed instead';
