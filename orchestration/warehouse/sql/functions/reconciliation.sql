-- Reconciliation: the source compared with the ledgers by tenant and date, by count and content.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.work_in_sight(p_family text) returns setof ops.pending
language plpgsql
as $$
declare
    work ops.pending[];
begin
    -- What is pending, and what capture would note now. The capture is taken back: whoever
    -- refreshes next does it, and need not wait for us until then.
    begin
        perform ops.look_for_changes(p_family);
        select array_agg(pending) into work from ops.pending where pending.family = p_family;
        raise exception 'taken back' using errcode = 'RB000';
    exception when sqlstate 'RB000' then
        null;
    end;
    return query select * from unnest(work);
end
$$;

create or replace function ops.compare_with_source(p_family text, p_tenant_ids text[]) returns void
language plpgsql
as $$
begin
    -- Fills temporary table reconciled_part; rows of subjects in table set_aside stay out of it.
    drop table if exists reconciled_source, reconciled_part;
    execute format($q$
        create temporary table reconciled_source on commit drop as
        select
            source.tenant_id,
            source.part,
            source.date,
            coalesce(sum(source.row_count) filter (where set_aside.key is null), 0)::bigint as row_count,
            coalesce(bit_xor(source.row_hash) filter (where set_aside.key is null), 0) as row_hash,
            min(source.filed_at) as first_at
        from intermediate.%I as source
        left join set_aside
            on
                source.tenant_id = set_aside.tenant_id
                and source.grain = set_aside.grain
                and source.key = set_aside.key
        where $1 is null or source.tenant_id = any($1)
        group by source.tenant_id, source.part, source.date
    $q$, p_family || '_source_rows') using p_tenant_ids;

    execute format($q$
        create temporary table reconciled_part on commit drop as
        with first_left as (
            select tenant_id, part, min(date) as first_date, min(first_at) as at
            from reconciled_source
            group by tenant_id, part
        ),

        ledger as (
            select
                ledger.tenant_id,
                ledger.part,
                ledger.date,
                coalesce(sum(ledger.row_count) filter (where set_aside.key is null), 0)::bigint as row_count,
                coalesce(bit_xor(ledger.row_hash) filter (where set_aside.key is null), 0) as row_hash,
                -- NULL where instants are not known
                bool_and(ledger.filed_at is not null) as is_exact,
                coalesce(sum(ledger.row_count) filter (
                    where set_aside.key is null and ledger.filed_at >= first_left.at
                ), 0)::bigint as late_count,
                coalesce(bit_xor(ledger.row_hash) filter (
                    where set_aside.key is null and ledger.filed_at >= first_left.at
                ), 0) as late_hash,
                coalesce(sum(ledger.row_count) filter (where set_aside.is_pruned), 0)::bigint as pruned_count,
                bool_or(ledger.is_counted) as is_counted
            from intermediate.%I as ledger
            left join first_left
                on ledger.tenant_id = first_left.tenant_id and ledger.part = first_left.part
            left join set_aside
                on
                    ledger.tenant_id = set_aside.tenant_id
                    and ledger.grain = set_aside.grain
                    and ledger.key = set_aside.key
            where $1 is null or ledger.tenant_id = any($1)
            group by ledger.tenant_id, ledger.part, ledger.date
        )

        select
            tenant_id,
            part,
            date,
            coalesce(source.row_count, 0) as source_rows,
            coalesce(ledger.row_count, 0) as ledger_rows,
            coalesce(ledger.pruned_count, 0) as pruned_rows,
            coalesce(source.row_count, 0) = coalesce(ledger.row_count, 0)
            and coalesce(source.row_hash, 0) = coalesce(ledger.row_hash, 0) as is_same,
            -- All that is left of the source is in the ledger, which has older rows besides.
            coalesce(ledger.is_counted, false)
            and coalesce(ledger.row_count, 0) > coalesce(source.row_count, 0)
            and case
                when first_left.first_date is null or date < first_left.first_date then true
                when date > first_left.first_date then false
                when ledger.is_exact
                    then source.row_count = ledger.late_count and source.row_hash = ledger.late_hash
                else true
            end as is_cut_off
        from reconciled_source as source
        full join ledger using (tenant_id, part, date)
        left join first_left using (tenant_id, part)
        where ops.is_tenant_id(tenant_id)
    $q$, p_family || '_ledger_rows') using p_tenant_ids;
end
$$;

create or replace function ops.set_pruned_subjects_aside(p_family text) returns bigint
language plpgsql
as $$
declare
    found_subjects bigint;
begin
    -- A subject that has vanished whole and began before all that is left of its table went with
    -- its age: its later rows (the opens of pruned mail) are no deletion either.
    execute format($q$
        with suspects as (
            select distinct ledger.tenant_id, ledger.grain, ledger.key
            from intermediate.%1$I as ledger
            inner join reconciled_part as part using (tenant_id, part, date)
            where
                not part.is_same and not part.is_cut_off and part.ledger_rows > 0
                and ledger.grain <> 'optouts'
        ),

        vanished as (
            select suspects.*
            from suspects
            left join intermediate.%2$I as source using (tenant_id, grain, key)
            where source.tenant_id is null
        ),

        first_rows as (
            select distinct on (tenant_id, grain, key) tenant_id, grain, key, ledger.part, ledger.filed_at
            from vanished
            inner join intermediate.%1$I as ledger using (tenant_id, grain, key)
            where ledger.filed_at is not null
            order by tenant_id, grain, key, ledger.filed_at
        ),

        first_left as (
            select tenant_id, part, min(first_at) as at
            from reconciled_source
            group by tenant_id, part
        )

        insert into set_aside (tenant_id, grain, key, is_pruned)
        select first_rows.tenant_id, first_rows.grain, first_rows.key, true
        from first_rows
        left join first_left using (tenant_id, part)
        where first_left.at is null or first_rows.filed_at < first_left.at
        on conflict do nothing
    $q$, p_family || '_ledger_rows', p_family || '_source_rows');
    get diagnostics found_subjects = row_count;
    return found_subjects;
end
$$;

drop function if exists ops.reconcile(text, text[], date, date, boolean);
create function ops.reconcile(
    p_family text,
    p_tenant_ids text[] default null,
    p_from date default null,
    p_to date default null,
    p_allow_shrink boolean default false
) returns uuid
language plpgsql
set timezone = 'UTC'
as $$
declare
    id constant uuid := gen_random_uuid();
    started constant timestamptz := clock_timestamp();
    keeps_pruned boolean;
begin
    -- Rows that come in between two looks would be called missing.
    if current_setting('transaction_isolation') not in ('repeatable read', 'serializable') then
        raise exception 'ops.reconcile needs a repeatable read transaction'
            using errcode = '25001', hint = 'begin isolation level repeatable read';
    end if;
    select not p_allow_shrink and coalesce(min(value), 'restate') = 'restate' into keeps_pruned
    from ops.config where name = 'delete_policy';

    drop table if exists work_in_sight, set_aside;
    create temporary table work_in_sight on commit drop as select * from ops.work_in_sight(p_family);
    create temporary table set_aside (
        tenant_id text, grain text, key text, is_pruned boolean,
        primary key (tenant_id, grain, key)
    ) on commit drop;
    insert into set_aside
    select tenant_id, grain, key, false from work_in_sight
    where grain not in ('tenant', 'date', 'optouts');
    analyze set_aside;

    perform ops.compare_with_source(p_family, p_tenant_ids);
    if keeps_pruned and ops.set_pruned_subjects_aside(p_family) > 0 then
        perform ops.compare_with_source(p_family, p_tenant_ids);
    end if;

    drop table if exists reconciled;
    create temporary table reconciled on commit drop as
    select
        part.tenant_id,
        part.date,
        part.part,
        part.source_rows,
        part.ledger_rows + part.pruned_rows as ledger_rows,
        case
            when part.is_same and part.pruned_rows = 0 then null
            when part.is_same then 'pruned'
            -- opt-outs are no table of a source that could be cut off; a tenant that is gone was deleted
            when
                keeps_pruned and part.is_cut_off and source.source_table is not null
                and tenants.tenant_id is not null
                then 'pruned'
            when part.source_rows > part.ledger_rows then 'missing'
            when part.source_rows < part.ledger_rows then 'gone'
            else 'changed'
        end as kind
    from reconciled_part as part
    left join ops.capture_source as source
        on source.family = p_family and part.part = source.source_table
    left join ops.known_tenants(p_family) as tenants
        on part.tenant_id = tenants.tenant_id
    where
        (p_from is null or part.date >= p_from)
        and (p_to is null or part.date <= p_to)
        and not exists (
            select 1 from work_in_sight as work
            where
                work.tenant_id = part.tenant_id
                and (
                    work.grain = 'tenant'
                    or (work.grain = 'date' and work.key = part.date::text)
                    -- any work on a tenant may change the evidence its opt-outs come from
                    or part.part = 'optouts'
                )
        );

    insert into ops.reconciliation_partition
    select id, tenant_id, date, part, kind, source_rows, ledger_rows
    from reconciled where kind is not null;
    perform ops.note_pending(
        p_family, array_agg(tenant_id), grain,
        array_agg(case grain when 'date' then date::text else '' end), 'reconciliation'
    )
    from (
        -- a time that is infinite lies on no date
        select distinct tenant_id, date, case when isfinite(date) then 'date' else 'tenant' end as grain
        from reconciled
        where kind <> 'pruned'
    ) as differing
    group by grain;

    insert into ops.reconciliation
    select
        id, p_family, started, extract(epoch from clock_timestamp() - started),
        p_tenant_ids, p_from, p_to, p_allow_shrink,
        count(distinct (tenant_id, date)),
        coalesce(sum(source_rows), 0),
        coalesce(sum(ledger_rows), 0),
        count(distinct (tenant_id, date)) filter (where kind <> 'pruned'),
        count(distinct (tenant_id, date)) filter (where kind = 'pruned')
    from reconciled;
    return id;
end
$$;
comment on function ops.reconcile is 'Compares the source with the ledgers, notes differing partitions as pending, and logs them; returns the id in ops.reconciliation';
