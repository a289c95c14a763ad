-- Quarantine: what could not be counted, why, and whether every row that came in is accounted for.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.is_arriving(ingested_at timestamptz, since timestamptz) returns boolean
language sql immutable parallel safe
-- A row that does not say when it came in is read every time, as nothing else would find it.
return ingested_at >= since or ingested_at is null or ingested_at < '1971-01-01 00:00:00+00'::timestamptz;
comment on function ops.is_arriving(timestamptz, timestamptz) is 'Whether change capture reads a row that came in at this time';

create or replace function ops.is_arriving(ingest_watermark timestamp, since timestamptz) returns boolean
language sql stable parallel safe
-- Compared as the source stores it, so that its index serves; the session is pinned to UTC.
return ingest_watermark >= since::timestamp or ingest_watermark is null or ingest_watermark < '1971-01-01'::timestamp;

create or replace function ops.read_arrivals(
    src ops.capture_source, p_since timestamptz, p_all_faulty boolean default false
) returns void
language plpgsql
set timezone = 'UTC'
set datestyle = 'ISO'
set client_min_messages = warning
as $$
begin
    -- Rows that came in since then, and those in quarantine. In one pass: a source may have no
    -- index on its ingest times.
    create temporary table if not exists fresh_row (
        tenant_id text,
        row_id text,
        subject_key text,
        ingested_at timestamptz,
        ingest_watermark timestamp,
        content_hash bigint,
        fault text,
        filed_at timestamptz,
        timezone text
    ) on commit delete rows;
    truncate fresh_row;
    execute format($q$
        insert into fresh_row
        select
            tenant_id, %1$s, %2$s, ingested_at, ingest_watermark, content_hash, fault,
            case when fault is not null then ops.filed_at(occurred_at, ingested_at, $3) end, timezone
        from %3$s
        where %4$s
    $q$, src.row_id, src.subject_key, src.relation,
        case
            when p_all_faulty then 'fault is not null'
            when p_since is not null then 'ops.is_arriving(ingest_watermark, $1) or ingest_watermark = any($2)'
            else 'ingest_watermark = any($2) or (ingest_watermark is null and array_position($2, null) is not null)'
        end)
    using p_since, array(
        select distinct quarantined.ingest_watermark from ops.quarantined_row as quarantined
        where quarantined.family = src.family and quarantined.source_table = src.source_table
    ), ops.min_event_at();
    -- Rows that came in together with one in quarantine are none of it.
    delete from fresh_row
    where
        fault is null
        and not coalesce(ops.is_arriving(ingest_watermark, p_since), false)
        and not exists (
            select from ops.quarantined_row as quarantined
            where
                quarantined.family = src.family and quarantined.source_table = src.source_table
                and quarantined.row_id = left(fresh_row.row_id, 200)
                and quarantined.ingest_watermark = fresh_row.ingest_watermark
        );
    -- Rows with one id are told from what they were before by all of them.
    update fresh_row set content_hash = copies.content_hash
    from (
        select row_id, bit_xor(content_hash) as content_hash
        from fresh_row
        where fault is null
        group by row_id
        having count(*) > 1
    ) as copies
    where fresh_row.row_id = copies.row_id and fresh_row.fault is null;
end
$$;
comment on function ops.read_arrivals is 'Fills fresh_row with what came in since a time and with what is in quarantine, or with all that is at fault';

create or replace function ops.filed_at(
    occurred_at timestamptz, ingested_at timestamptz, min_event_at timestamptz
) returns timestamptz
language sql immutable parallel safe
-- By its own time, or by when it came in if that cannot be right.
return case
    when
        isfinite(occurred_at) and occurred_at >= min_event_at
        and (not isfinite(ingested_at) or occurred_at <= ingested_at + interval '1 day')
        then occurred_at
    when isfinite(ingested_at)
        then ingested_at
    else min_event_at
end;
comment on function ops.filed_at is 'The instant by whose day a row is filed';

create or replace function ops.quarantine_key(
    row_id text, tenant_id text, fault text, ingest_watermark timestamp, filed_at timestamptz, timezone text
) returns text
language sql stable parallel safe
return md5(row(row_id, tenant_id, fault, ingest_watermark, filed_at, timezone)::text);

create or replace function ops.note_rows_gone_bad(src ops.capture_source) returns bigint
language sql
as $$
    -- A row that counted until it was changed still stands in a ledger: its subject is worked out
    -- again without it. Call before ops.keep_quarantine, which makes them known.
    select coalesce(
        ops.note_pending(
            src.family, array_agg(tenant_id), src.subject_grain, array_agg(subject_key),
            'bad rows in ' || src.source_table
        ), 0
    )
    from fresh_row
    where
        fault is not null
        and ops.is_tenant_id(tenant_id)
        and octet_length(subject_key) <= 500
        and not exists (
            select from ops.quarantined_row as known
            where
                known.family = src.family and known.source_table = src.source_table
                and known.row_key = ops.quarantine_key(
                    fresh_row.row_id, fresh_row.tenant_id, fresh_row.fault, fresh_row.ingest_watermark,
                    fresh_row.filed_at, fresh_row.timezone
                )
        )
$$;

create or replace function ops.keep_quarantine(src ops.capture_source) returns void
language plpgsql
set client_min_messages = warning
as $$
begin
    -- All that is in quarantine was read again: what is no longer at fault, or gone, leaves it.
    create temporary table if not exists faulty_row (like ops.quarantined_row) on commit delete rows;
    truncate faulty_row;
    insert into faulty_row
    select
        src.family,
        src.source_table,
        ops.quarantine_key(row_id, tenant_id, fault, ingest_watermark, filed_at, timezone),
        left(min(row_id), 200),
        case when ops.is_tenant_id(tenant_id) then tenant_id else '__unknown__' end,
        (filed_at at time zone timezone)::date,
        fault,
        ingest_watermark,
        count(*),
        now()
    from fresh_row
    where fault is not null
    group by row_id, tenant_id, fault, ingest_watermark, filed_at, timezone;

    delete from ops.quarantined_row as quarantined
    where
        quarantined.family = src.family and quarantined.source_table = src.source_table
        and not exists (select from faulty_row where faulty_row.row_key = quarantined.row_key);
    insert into ops.quarantined_row
    select * from faulty_row
    on conflict (family, source_table, row_key) do update set row_count = excluded.row_count
    where quarantined_row.row_count <> excluded.row_count;
end
$$;
comment on function ops.keep_quarantine is 'Brings ops.quarantined_row up to date with fresh_row';

create or replace function ops.replay_quarantine(src ops.capture_source, p_since timestamptz default null)
returns bigint
language plpgsql
as $$
declare
    noted bigint;
begin
    if not exists (
        select from ops.quarantined_row
        where family = src.family and source_table = src.source_table
    ) and not exists (
        select from ops.watermark
        where family = src.family and source_table = src.source_table and noted_to >= p_since
    ) then
        return 0;
    end if;
    perform ops.read_arrivals(src, p_since);
    -- Others may have come in at the same moment.
    select ops.note_pending(
        src.family, array_agg(tenant_id), src.subject_grain, array_agg(subject_key), 'left the quarantine'
    ) into noted
    from fresh_row
    where fault is null and (left(row_id, 200), coalesce(ingest_watermark, '-infinity')) in (
        select quarantined.row_id, coalesce(quarantined.ingest_watermark, '-infinity')
        from ops.quarantined_row as quarantined
        where quarantined.family = src.family and quarantined.source_table = src.source_table
    );
    perform ops.keep_quarantine(src);
    return noted;
end
$$;
comment on function ops.replay_quarantine(ops.capture_source, timestamptz) is 'Reads again what is in quarantine, and what came in since a time where triggers tell of the rest; what can be counted now is noted as pending';

create or replace function ops.replay_quarantine(p_family text) returns bigint
language plpgsql
set timezone = 'UTC'
as $$
begin
    perform ops.lock_pending(p_family);
    return (
        select coalesce(sum(ops.replay_quarantine(source)), 0)
        from ops.capture_source as source where source.family = p_family
    );
end
$$;
comment on function ops.replay_quarantine(text) is 'For a backfill, which captures nothing: whatever was put right counts again';

create or replace function ops.renew_quarantine(p_family text) returns void
language plpgsql
set timezone = 'UTC'
as $$
declare
    src ops.capture_source;
begin
    perform ops.lock_pending(p_family);
    for src in select * from ops.capture_source where family = p_family order by source_table loop
        perform ops.replay_quarantine(src);
        -- Those that a ledger still has were found by comparing it.
        perform ops.read_arrivals(src, null, true);
        perform ops.keep_quarantine(src);
    end loop;
end
$$;
comment on function ops.renew_quarantine is 'For a reconciliation, which reads everything: finds rows that fit no ledger and came in with an old ingest time, as an import may write it';

-- What people look at ------------------------------------------------------------------------------

drop function if exists ops.outreach_verdicts(), ops.support_verdicts();

create or replace function ops.quarantine_of(p_family text)
returns table (tenant_id text, date date, source_table text, reason text, row_count bigint)
language plpgsql stable
as $$
begin
    return query execute format($q$
        select tenant_id, date, source_table, reason, sum(row_count)::bigint
        from (
            select tenant_id, date, source_table, reason, row_count
            from intermediate.%I
            where verdict = 'quarantined'
            union all
            select tenant_id, date, source_table, reason, row_count
            from ops.quarantined_row
            where family = $1
        ) as rows_of
        group by tenant_id, date, source_table, reason
    $q$, p_family || '_verdicts') using p_family;
end
$$;
comment on function ops.quarantine_of is 'Rows of a family that could not be counted, by tenant, day, source table and reason';

create or replace function ops.families() returns setof text
language sql stable
as $$ select unnest(string_to_array(value, ',')) from ops.config where name = 'families' $$;

create or replace view ops.quarantine as
select families.family, held.tenant_id, held.date, held.source_table, held.reason, held.row_count
from ops.families() as families (family)
cross join lateral ops.quarantine_of(families.family) as held;
comment on view ops.quarantine is 'Rows that could not be counted, by tenant (__unknown__ without one), day, source table and reason';

create or replace function ops.intake_of(p_family text)
returns table (
    tenant_id text,
    date date,
    source_table text,
    rows_in bigint,
    counted bigint,
    duplicates bigint,
    ignored bigint,
    quarantined bigint
)
language plpgsql stable
set timezone = 'UTC'
as $$
begin
    -- The source on one side, what we have made of it on the other.
    return query execute format($q$
        with came_in as (
            select
                case when ops.is_tenant_id(arrivals.tenant_id) then arrivals.tenant_id else '__unknown__' end
                    as tenant_id,
                coalesce(
                    implied.date,
                    (ops.filed_at(arrivals.occurred_at, arrivals.ingested_at, first.min_event_at) at time zone arrivals.timezone)::date
                ) as date,
                arrivals.source_table,
                arrivals.is_ignored and arrivals.fault is null as is_ignored,
                arrivals.fault,
                arrivals.row_id
            from staging.%1$I as arrivals
            cross join (select ops.min_event_at() as min_event_at) as first
            left join ops.%2$I() as implied
                on
                    arrivals.source_table = implied.source_table
                    and arrivals.tenant_id = implied.tenant_id
                    and arrivals.row_id = implied.row_id
        ),

        accounts as (
            select
                tenant_id, date, source_table,
                count(*) as rows_in,
                0::numeric as counted,
                0::numeric as duplicates,
                count(*) filter (where is_ignored) as ignored,
                0::numeric as quarantined
            from came_in
            group by tenant_id, date, source_table
            union all
            select
                tenant_id, date, source_table,
                0,
                sum(row_count) filter (where verdict = 'counted'),
                sum(row_count) filter (where verdict = 'duplicate'),
                sum(row_count) filter (where verdict = 'ignored'),
                sum(row_count) filter (where verdict = 'quarantined')
            from intermediate.%3$I
            group by tenant_id, date, source_table
            union all
            select tenant_id, date, source_table, 0, 0, 0, 0, row_count
            from ops.quarantined_row
            where family = $1
            union all
            -- Copies of one id that have no row of their own in a ledger.
            select tenant_id, date, source_table, 0, 0, row_count, 0, 0
            from ops.%4$I()
        )

        select
            tenant_id, date, source_table,
            sum(rows_in)::bigint,
            coalesce(sum(counted), 0)::bigint,
            coalesce(sum(duplicates), 0)::bigint,
            coalesce(sum(ignored), 0)::bigint,
            coalesce(sum(quarantined), 0)::bigint
        from accounts
        group by tenant_id, date, source_table
    $q$,
        'stg_' || p_family || '__arrivals', p_family || '_implied_dates', p_family || '_verdicts',
        p_family || '_copies'
    ) using p_family;
end
$$;
comment on function ops.intake_of is 'Rows of a family''s source by tenant, day and table, and what became of them. Reads the whole source';

create or replace function ops.outreach_implied_dates()
returns table (source_table text, tenant_id text, row_id text, date date)
language sql stable
as $$
    -- A message whose row does not say that it was sent is dated by the event that does.
    select 'outbound_messages', ledger.tenant_id, ledger.message_id, ledger.date
    from intermediate.outreach_activity_ledger as ledger
    where ledger.kind = 'implied_send' and ledger.activity_id = 'message'
$$;

create or replace function ops.support_implied_dates()
returns table (source_table text, tenant_id text, row_id text, date date)
language sql stable
as $$ select null::text, null::text, null::text, null::date where false $$;

create or replace function ops.outreach_copies()
returns table (tenant_id text, date date, source_table text, row_count bigint)
language sql stable
as $$ select null::text, null::date, null::text, null::bigint where false $$;

create or replace function ops.support_copies()
returns table (tenant_id text, date date, source_table text, row_count bigint)
language sql stable
as $$
    -- Of a source without a unique key: the first row of an id counts.
    select copies.tenant_id, copies.date, copies.source_table, count(*)
    from (
        select
            arrivals.tenant_id,
            (ops.filed_at(arrivals.occurred_at, arrivals.ingested_at, first.min_event_at) at time zone arrivals.timezone)::date as date,
            arrivals.source_table,
            row_number() over (
                partition by arrivals.source_table, arrivals.tenant_id, arrivals.row_id
                order by arrivals.ingested_at, arrivals.occurred_at
            ) as copy
        from staging.stg_support__arrivals as arrivals
        cross join (select ops.min_event_at() as min_event_at) as first
        where arrivals.fault is null and not arrivals.is_ignored
    ) as copies
    where copies.copy > 1
    group by copies.tenant_id, copies.date, copies.source_table
$$;

create or replace view ops.intake as
select
    families.family, held.tenant_id, held.date, held.source_table,
    held.rows_in, held.counted, held.duplicates, held.ignored, held.quarantined,
    held.rows_in - held.counted - held.duplicates - held.ignored - held.quarantined as unaccounted
from ops.families() as families (family)
cross join lateral ops.intake_of(families.family) as held;
comment on view ops.intake is 'Rows in = counted + duplicates + ignored + quarantined, by tenant, day and source table; unaccounted: work that is pending. Reads the whole source';

create or replace function ops.set_aside(p_family text)
returns table (tenant_id text, reason text, row_count bigint)
language plpgsql stable
as $$
begin
    return query execute format($q$
        select verdicts.tenant_id, coalesce(verdicts.reason, verdicts.verdict), sum(verdicts.row_count)::bigint
        from (
            select tenant_id, reason, verdict, row_count
            from intermediate.%I
            where verdict in ('quarantined', 'duplicate')
            union all
            select tenant_id, reason, 'quarantined', row_count
            from ops.quarantined_row
            where family = $1
        ) as verdicts
        group by 1, 2
        order by 1, 2
    $q$, p_family || '_verdicts') using p_family;
end
$$;
comment on function ops.set_aside is 'Rows that are in no rollup, by reason: duplicate, or why they are in quarantine';
