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
as $$
declare
    q report._question := p_question;
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
    select
        registry.report_metric,
        parts.entity,
        parts.period,
        case registry.payload
            when 'duration' then report._mean(sum(parts.value_sum), sum(parts.value_count)::bigint)
            else sum(parts.count)::double precision
        end,
        case registry.payload when 'duration' then sum(parts.count)::bigint end
    from (
        select of_days.name as rollup_metric, null as event_name, of_days.*
        from report._event_sums_of_days(q, rollup_metrics) as of_days
        union all
        select null, of_edges.name, of_edges.*
        from report._event_sums_of_edges(q, event_names) as of_edges
    ) as parts
    inner join staging.metric_registry as registry
        on parts.rollup_metric = registry.rollup_metric or parts.event_name = registry.event_name
    where registry.report_metric = any (q.metrics)
    group by registry.report_metric, registry.payload, parts.entity, parts.period;
end
$$;
comment on function report._event_values is 'Counts and averages of events';

drop function if exists report._event_sums_of_days(report._question, text[]);
create function report._event_sums_of_days(p_question report._question, p_rollup_metrics text[])
returns table (
    name text, entity bigint, period timestamp, count numeric, value_sum numeric, value_count numeric
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
begin
    return query
    select
        rollups.metric,
        rollups.dimension_id,
        report._period_of_day(rollups.date, q.unit),
        sum(rollups.count)::numeric,
        sum(case when q.business_hours then rollups.business_hours_sum else rollups.value_sum end)::numeric,
        sum(case when q.business_hours then rollups.business_hours_count else rollups.value_count end)::numeric
    from analytics.reporting_events_rollups as rollups
    where
        rollups.tenant_id = q.tenant_id
        and rollups.dimension_type = q.dimension
        and rollups.metric = any (p_rollup_metrics)
        and (id is null or rollups.dimension_id = id)
        and rollups.date >= q.first_day
        and rollups.date < q.end_day
    group by 1, 2, 3;
end
$$;

drop function if exists report._event_sums_of_edges(report._question, text[]);
create function report._event_sums_of_edges(p_question report._question, p_event_names text[])
returns table (
    name text, entity bigint, period timestamp, count numeric, value_sum numeric, value_count numeric
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
begin
    if not report._has_edges(q) then
        return;
    end if;
    return query
    select
        events.name,
        events.entity,
        report._period(events.occurred_at, q.unit, q.zone),
        count(*)::numeric,
        sum(case when q.business_hours then events.value_in_business_hours else events.value end::text::numeric),
        count(case when q.business_hours then events.value_in_business_hours else events.value end)::numeric
    from report._support_events(
        q.account_id, q.dimension, q.since, q.left_until, q.right_since, q.until
    ) as events
    where
        events.name = any (p_event_names)
        and events.entity is not null
        and (id is null or events.entity = id)
    group by 1, 2, 3;
end
$$;

drop function if exists report._conversation_values(report._question);
create function report._conversation_values(p_question report._question)
returns table (metric text, entity bigint, period timestamp, value double precision, count bigint)
language sql stable
as $$
    select
        p_question.metrics[1],
        parts.entity,
        parts.period,
        sum(parts.created)::double precision,
        null::bigint
    from (
        select days.entity, days.period, days.created from report._conversation_sums_of_days(p_question) as days
        union all
        select * from report._conversations_of_edges(p_question)
    ) as parts
    group by parts.entity, parts.period
$$;
comment on function report._conversation_values is 'Counts of conversations';

drop function if exists report._conversation_sums_of_days(report._question);
create function report._conversation_sums_of_days(p_question report._question)
returns table (entity bigint, period timestamp, created numeric, incoming numeric, outgoing numeric)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
begin
    return query
    select
        days.dimension_id,
        report._period_of_day(days.date, q.unit),
        sum(days.conversations_count)::numeric,
        sum(days.incoming_messages_count)::numeric,
        sum(days.outgoing_messages_count)::numeric
    from analytics.conversations_daily as days
    where
        days.tenant_id = q.tenant_id
        and days.dimension_type = q.dimension
        and (id is null or days.dimension_id = id)
        and days.date >= q.first_day
        and days.date < q.end_day
    group by 1, 2;
end
$$;

drop function if exists report._conversations_of_edges(report._question);
create function report._conversations_of_edges(p_question report._question)
returns table (entity bigint, period timestamp, created numeric)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
begin
    if not report._has_edges(q) then
        return;
    end if;
    return query
    select
        created.entity,
        report._period(created.occurred_at, q.unit, q.zone),
        count(*)::numeric
    from report._support_conversations(
        q.account_id, q.dimension, q.since, q.left_until, q.right_since, q.until
    ) as created
    where
        created.entity is not null
        and (id is null or created.entity = id)
    group by 1, 2;
end
$$;

drop function if exists report._message_values(report._question);
create function report._message_values(p_question report._question)
returns table (metric text, entity bigint, period timestamp, value double precision, count bigint)
language sql stable
as $$
    with totals as (
        select parts.entity, parts.period, sum(parts.incoming) as incoming, sum(parts.outgoing) as outgoing
        from (
            select days.entity, days.period, days.incoming, days.outgoing
            from report._conversation_sums_of_days(p_question) as days
            union all
            select * from report._messages_of_edges(p_question)
        ) as parts
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
        on metrics.metric = any (p_question.metrics)
$$;
comment on function report._message_values is 'Counts of messages, incoming and outgoing';

drop function if exists report._messages_of_edges(report._question);
create function report._messages_of_edges(p_question report._question)
returns table (entity bigint, period timestamp, incoming numeric, outgoing numeric)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
    directions text[] := array(
        select metrics.direction from report._conversation_metrics() as metrics
        where metrics.metric = any (q.metrics)
    );
begin
    if not report._has_edges(q) then
        return;
    end if;
    return query
    select
        sent.entity,
        report._period(sent.occurred_at, q.unit, q.zone),
        (count(*) filter (where sent.direction = 'incoming'))::numeric,
        (count(*) filter (where sent.direction = 'outgoing'))::numeric
    from report._support_messages(
        q.account_id, q.dimension, q.since, q.left_until, q.right_since, q.until
    ) as sent
    where
        sent.direction = any (directions)
        and sent.entity is not null
        and (id is null or sent.entity = id)
    group by 1, 2;
end
$$;
