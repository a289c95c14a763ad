-- Numbers of the support family: whole days from rollups, the rest row by row from the source.
set check_function_bodies = off;

create or replace function report._mean(p_sum numeric, p_count bigint) returns double precision
language sql immutable parallel safe
as $$
    -- Exact before the one rounding to a double.
    select (round(p_sum, 30) / nullif(p_count, 0))::double precision
$$;

drop function if exists report._event_values(report._question);
create function report._event_values(p_question report._question)
returns table (metric text, entity bigint, period timestamp, value double precision, count bigint)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
    event_names text[] := array(
        select registry.event_name from staging.metric_registry as registry
        where registry.report_metric = any (q.metrics)
    );
    rollup_metrics text[] := array(
        select registry.rollup_metric from staging.metric_registry as registry
        where registry.report_metric = any (q.metrics)
    );
begin
    return query
    with rows_of_events as (
        select * from report._support_events(
            q.account_id, q.dimension, q.since, q.left_until, q.right_since, q.until
        )
    ),

    parts as (
        select
            rollups.metric as rollup_metric,
            null::text as event_name,
            rollups.dimension_id as entity,
            report._period_of_day(rollups.date, q.unit) as period,
            sum(rollups.count) as count,
            sum(case when q.business_hours then rollups.business_hours_sum else rollups.value_sum end) as value_sum,
            sum(case when q.business_hours then rollups.business_hours_count else rollups.value_count end) as value_count
        from analytics.reporting_events_rollups as rollups
        where
            rollups.tenant_id = q.tenant_id
            and rollups.dimension_type = q.dimension
            and rollups.metric = any (rollup_metrics)
            and (id is null or rollups.dimension_id = id)
            and rollups.date >= q.first_day
            and rollups.date < q.end_day
        group by 1, 3, 4
        union all
        select
            null,
            events.name,
            events.entity,
            report._period(events.occurred_at, q.unit, q.zone),
            count(*),
            sum(case when q.business_hours then events.value_in_business_hours else events.value end::text::numeric),
            count(case when q.business_hours then events.value_in_business_hours else events.value end)
        from rows_of_events as events
        where
            events.name = any (event_names)
            and events.entity is not null
            and (id is null or events.entity = id)
        group by 2, 3, 4
    )

    select
        registry.report_metric,
        parts.entity,
        parts.period,
        case registry.payload
            when 'duration' then report._mean(sum(parts.value_sum), sum(parts.value_count)::bigint)
            else sum(parts.count)::double precision
        end,
        case registry.payload when 'duration' then sum(parts.count)::bigint end
    from parts
    inner join staging.metric_registry as registry
        on parts.rollup_metric = registry.rollup_metric or parts.event_name = registry.event_name
    where registry.report_metric = any (q.metrics)
    group by registry.report_metric, registry.payload, parts.entity, parts.period;
end
$$;
comment on function report._event_values is 'Counts and averages of events';

drop function if exists report._conversation_values(report._question);
create function report._conversation_values(p_question report._question)
returns table (metric text, entity bigint, period timestamp, value double precision, count bigint)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
begin
    return query
    with created as (
        select * from report._support_conversations(
            q.account_id, q.dimension, q.since, q.left_until, q.right_since, q.until
        )
    ),

    parts as (
        select
            days.dimension_id as entity,
            report._period_of_day(days.date, q.unit) as period,
            sum(days.conversations_count) as count
        from analytics.conversations_daily as days
        where
            days.tenant_id = q.tenant_id
            and days.dimension_type = q.dimension
            and (id is null or days.dimension_id = id)
            and days.date >= q.first_day
            and days.date < q.end_day
        group by 1, 2
        union all
        select
            created.entity,
            report._period(created.occurred_at, q.unit, q.zone),
            count(*)
        from created
        where
            created.entity is not null
            and (id is null or created.entity = id)
        group by 1, 2
    )

    select q.metrics[1], parts.entity, parts.period, sum(parts.count)::double precision, null::bigint
    from parts
    group by parts.entity, parts.period;
end
$$;
comment on function report._conversation_values is 'Counts of conversations';

drop function if exists report._message_values(report._question);
create function report._message_values(p_question report._question)
returns table (metric text, entity bigint, period timestamp, value double precision, count bigint)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
    directions text[] := array(
        select metrics.direction from report._conversation_metrics() as metrics
        where metrics.metric = any (q.metrics)
    );
begin
    return query
    with sent as (
        select * from report._support_messages(
            q.account_id, q.dimension, q.since, q.left_until, q.right_since, q.until
        )
    ),

    parts as (
        select
            days.dimension_id as entity,
            report._period_of_day(days.date, q.unit) as period,
            sum(days.incoming_messages_count) as incoming,
            sum(days.outgoing_messages_count) as outgoing
        from analytics.conversations_daily as days
        where
            days.tenant_id = q.tenant_id
            and days.dimension_type = q.dimension
            and (id is null or days.dimension_id = id)
            and days.date >= q.first_day
            and days.date < q.end_day
        group by 1, 2
        union all
        select
            sent.entity,
            report._period(sent.occurred_at, q.unit, q.zone),
            count(*) filter (where sent.direction = 'incoming'),
            count(*) filter (where sent.direction = 'outgoing')
        from sent
        where
            sent.direction = any (directions)
            and sent.entity is not null
            and (id is null or sent.entity = id)
        group by 1, 2
    ),

    totals as (
        select parts.entity, parts.period, sum(parts.incoming) as incoming, sum(parts.outgoing) as outgoing
        from parts
        group by parts.entity, parts.period
    )

    select
        metrics.metric,
        totals.entity,
        totals.period,
        case metrics.direction when 'incoming' then totals.incoming else totals.outgoing end::double precision,
        null::bigint
    from totals
    inner join report._conversation_metrics() as metrics
        on metrics.metric = any (q.metrics);
end
$$;
comment on function report._message_values is 'Counts of messages, incoming and outgoing';
