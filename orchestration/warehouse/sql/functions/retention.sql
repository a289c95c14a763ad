-- How long logs are kept.

create or replace function ops.prune_log(
    p_family text, p_days integer, p_refreshes integer default 200
) returns bigint
language plpgsql
as $$
declare
    old uuid[];
    pruned bigint;
begin
    -- What status and alerts say is of the last 30 days.
    if p_days < 31 then
        raise exception 'logs are kept for at least 31 days, not %', p_days using errcode = '22023';
    end if;
    -- One at a time: two would wait for each other's rows.
    if not pg_try_advisory_xact_lock(hashtextextended('rollups prune ' || p_family, 0)) then
        return 0;
    end if;
    perform ops.forget_lost_refreshes(p_family);
    old := array(
        select refresh_id
        from ops.refresh
        where family = p_family and started_at < now() - make_interval(days => p_days) and status <> 'running'
        order by started_at
        limit p_refreshes
    );
    delete from ops.refresh_scope where refresh_id = any(old) and family = p_family;
    delete from ops.refresh_partition where refresh_id = any(old) and family = p_family;
    perform set_config('rollups.pruning', 'on', true);
    delete from ops.refresh_log where refresh_id = any(old) and family = p_family;
    perform set_config('rollups.pruning', '', true);
    pruned := cardinality(old);
    -- A refresh of dbt by itself is of all families.
    delete from ops.refresh_model
    where refresh_id = any(old)
    and not exists (select 1 from ops.refresh_log as log where log.refresh_id = refresh_model.refresh_id);

    delete from ops.reconciliation_partition
    using ops.reconciliation
    where
        reconciliation_partition.reconciliation_id = reconciliation.reconciliation_id
        and reconciliation.family = p_family
        and reconciliation.started_at < now() - make_interval(days => p_days);
    delete from ops.reconciliation
    where family = p_family and started_at < now() - make_interval(days => p_days);
    return pruned;
end
$$;
comment on function ops.prune_log is 'Deletes what refreshes (some at a time) and reconciliations logged longer ago than so many days; returns how many refreshes';
