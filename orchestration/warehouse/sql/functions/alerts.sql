-- What an operator should know of, judged by the log and by pending work: never by a green run.
set check_function_bodies = off;

create or replace function ops.alerts(p_family text, p_interval interval default '1 hour')
returns table (alert text, detail text, since timestamptz)
language sql stable
as $$
    -- p_interval: how often a refresh is due.
    with refreshes as (
        select * from ops.refresh
        where family = p_family and started_at > now() - interval '30 days'
    ),

    completed as (
        select
            refreshes.*,
            row_number() over (order by started_at desc) as age
        from refreshes
        where status = 'completed'
    ),

    last_completed as (
        select * from completed where age = 1
    ),

    -- Two refreshes are missed when a third part of the next interval has gone as well.
    missed as (
        select
            'no refresh has completed since ' || coalesce(
                to_char(last_done.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC', 'the set-up'
            ) as detail,
            coalesce(last_done.at, deployed.at) as since
        from (select max(ended_at) as at from last_completed) as last_done
        cross join (select max(applied_at) as at from ops.migration) as deployed
        where coalesce(last_done.at, deployed.at) < now() - p_interval * 7 / 3
    ),

    -- A refresh with nothing to do says nothing about how long work takes.
    usual as (
        select
            count(*) as known,
            percentile_cont(0.95) within group (order by seconds) as p95_seconds
        from completed
        where partitions > 0 and age between 2 and 200
    ),

    work as (
        select
            count(distinct tenant_id) as tenants,
            count(*) as pieces,
            min(noted_at) as since,
            (array_agg(tenant_id order by noted_at))[1] as oldest_tenant
        from ops.pending
        where
            family = p_family
            and reason <> 'command-line backfill'
            and isfinite(noted_at)
            and noted_at < now() - 3 * p_interval
            -- All work waits then, for what is told already.
            and not exists (select 1 from missed)
    )

    select
        'missed_refreshes',
        detail,
        since
    from missed

    union all

    (
        select
            'failed_refresh',
            refreshes.error,
            refreshes.ended_at
        from refreshes
        where
            refreshes.status = 'failed'
            and not exists (
                select 1 from completed where completed.ended_at > refreshes.started_at
            )
        order by refreshes.started_at desc
        limit 1
    )

    union all

    (
        select
            'lost_refresh',
            'refresh ' || refreshes.refresh_id || ' (' || refreshes.trigger || ') started and never ended',
            refreshes.started_at
        from refreshes
        where
            refreshes.status = 'lost'
            and not exists (
                select 1 from completed where completed.started_at > refreshes.started_at
            )
        order by refreshes.started_at desc
        limit 1
    )

    union all

    (
        select
            'slow_refresh',
            format(
                'the refresh of %s UTC takes %s s, usually at most %s s',
                to_char(refreshes.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                round(coalesce(refreshes.seconds, extract(epoch from now() - refreshes.started_at))),
                round(usual.p95_seconds::numeric, 1)
            ),
            refreshes.started_at
        from refreshes
        cross join usual
        where
            (refreshes.status = 'running' or refreshes.refresh_id in (select refresh_id from last_completed))
            and usual.known >= 10
            and coalesce(refreshes.seconds, extract(epoch from now() - refreshes.started_at))
            > greatest(3 * usual.p95_seconds, 30)
        order by refreshes.started_at
        limit 1
    )

    union all

    select
        'growing_backlog',
        format('work of %s tenants waits (%s pieces), that of %s the longest', tenants, pieces, oldest_tenant),
        since
    from work
    where pieces > 0
$$;
comment on function ops.alerts is 'What is wrong with a family''s refreshes now: missed, failed, lost or slow refreshes, a backlog; empty when all is well';
