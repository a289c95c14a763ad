-- A handoff wins inside the window asked for, and a conversation counts once: for any window.
--
-- Whole days: every bot event knows its neighbours in the same conversation and dimension, so an
-- event counts by comparing their dates with the window, and the daily rollup is just summed.
-- Edges: the few conversations with events there are judged again over the whole window, and what
-- the daily sum made of them is taken back.
set check_function_bodies = off;

drop function if exists report._bot_events();
create function report._bot_events()
returns table (event_name text, kind text, metric text)
language sql stable
as $$
    select
        registry.event_name,
        case registry.raw_count_strategy
            when 'exclude_bot_handoffs' then 'resolution'
            when 'distinct_conversations' then 'handoff'
        end,
        registry.report_metric
    from staging.metric_registry as registry
    where registry.raw_count_strategy in ('exclude_bot_handoffs', 'distinct_conversations')
$$;

create or replace function report._bot_event_names(out resolution text, out handoff text)
language sql stable
as $$
    select
        max(events.event_name) filter (where events.kind = 'resolution'),
        max(events.event_name) filter (where events.kind = 'handoff')
    from report._bot_events() as events
$$;
comment on function report._bot_event_names is 'What the events of a bot are called that resolve a conversation, and that hand it over';

drop function if exists report._bot_counts(report._question);
create function report._bot_counts(p_question report._question)
returns table (
    entity bigint,
    period timestamp,
    resolutions bigint,
    handoff_conversations bigint,
    resolved_conversations bigint
)
language sql stable
as $$
    select
        parts.entity,
        parts.period,
        sum(parts.resolutions)::bigint,
        sum(parts.handoff_conversations)::bigint,
        sum(parts.resolved_conversations)::bigint
    from (
        select * from report._bot_counts_of_days(p_question)
        union all
        select * from report._bot_counts_of_edges(p_question)
    ) as parts
    group by parts.entity, parts.period
$$;
comment on function report._bot_counts is 'Bot resolutions (events) and conversations handed off or resolved, per period; the exclusion is that of the whole window';

drop function if exists report._bot_counts_of_days(report._question);
create function report._bot_counts_of_days(p_question report._question)
returns table (
    entity bigint,
    period timestamp,
    resolutions bigint,
    handoff_conversations bigint,
    resolved_conversations bigint
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
    with days as (
        select
            daily.dimension_id as entity,
            report._period_of_day(daily.date, q.unit) as period,
            daily.kind,
            daily.conversation_exists,
            daily.event_count,
            -- first of its conversation in the whole days of its period
            greatest(coalesce(report._period_of_day(daily.date, q.unit)::date, q.first_day), q.first_day) as period_from,
            daily.previous_resolution_date,
            daily.previous_handoff_date,
            daily.previous_handoff_date < q.first_day and daily.next_handoff_date >= q.end_day as no_handoff
        from intermediate.support_bot_daily as daily
        where
            daily.tenant_id = q.tenant_id
            and daily.dimension_type = q.dimension
            and (id is null or daily.dimension_id = id)
            and daily.date >= q.first_day
            and daily.date < q.end_day
    )

    select
        days.entity,
        days.period,
        coalesce(sum(days.event_count) filter (where days.kind = 'resolution' and days.no_handoff), 0)::bigint
            as resolutions,
        coalesce(
            sum(days.event_count) filter (
                where
                    days.kind = 'handoff'
                    and days.conversation_exists
                    and days.previous_handoff_date < days.period_from
            ),
            0
        )::bigint as handoff_conversations,
        coalesce(
            sum(days.event_count) filter (
                where
                    days.kind = 'resolution'
                    and days.conversation_exists
                    and days.no_handoff
                    and days.previous_resolution_date < days.period_from
            ),
            0
        )::bigint as resolved_conversations
    from days
    group by 1, 2;
end
$$;

drop function if exists report._bot_events_of_days(report._question, text, bigint[]);
create function report._bot_events_of_days(
    p_question report._question, p_dimension text, p_conversations bigint[]
)
returns table (
    entity bigint, conversation_id bigint, kind text, date date, conversation_exists boolean
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := p_question;
begin
    return query
    select known.dimension_id, known.conversation_id, known.kind, known.date, known.conversation_exists
    from intermediate.support_bot_events as known
    where
        known.tenant_id = q.tenant_id
        and known.conversation_key = any (p_conversations::text[])
        and known.dimension_type = p_dimension
        and known.date >= q.first_day
        and known.date < q.end_day;
end
$$;
comment on function report._bot_events_of_days is 'What bots did in these conversations on the whole days of a window';

drop function if exists report._bot_counts_of_edges(report._question);
create function report._bot_counts_of_edges(p_question report._question)
returns table (
    entity bigint,
    period timestamp,
    resolutions bigint,
    handoff_conversations bigint,
    resolved_conversations bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
-- Conversations with events in the edges, judged over the whole window, less what the days made of them.
declare
    q report._question := p_question;
    id bigint := q.entity::bigint;
    resolution_event text;
    handoff_event text;
begin
    if not report._has_edges(q) then
        return;
    end if;
    select names.resolution, names.handoff into resolution_event, handoff_event
    from report._bot_event_names() as names;

    return query
    with rows_of_edges as (
        select * from report._support_events(
            q.account_id, q.dimension, q.since, q.left_until, q.right_since, q.until
        )
    ),

    edges as materialized (
        select
            rows_of_edges.entity,
            rows_of_edges.conversation_id,
            case when rows_of_edges.name = handoff_event then 'handoff' else 'resolution' end as kind,
            report._period(rows_of_edges.occurred_at, q.unit, q.zone) as period,
            rows_of_edges.has_conversation as conversation_exists
        from rows_of_edges
        where
            rows_of_edges.name in (resolution_event, handoff_event)
            and rows_of_edges.entity is not null
            and (id is null or rows_of_edges.entity = id)
    ),

    -- What the same conversations did on the whole days.
    also as (
        select
            known.entity,
            known.conversation_id,
            known.kind,
            report._period_of_day(known.date, q.unit) as period,
            known.conversation_exists
        from (
            select distinct edges.entity, edges.conversation_id
            from edges
            where edges.conversation_id is not null
        ) as subjects
        inner join report._bot_events_of_days(
            q, q.dimension, array(select distinct edges.conversation_id from edges)
        ) as known
            on subjects.entity = known.entity and subjects.conversation_id = known.conversation_id
    ),

    events as (
        select *, false as in_days from edges
        union all
        select *, true from also
    ),

    judged as (
        select
            *,
            conversation_id is not null
            and bool_or(kind = 'handoff') over conversation as has_handoff,
            bool_or(kind = 'handoff' and in_days) over conversation as has_handoff_in_days
        from events
        window conversation as (partition by events.entity, events.conversation_id)
    )

    select
        judged.entity,
        judged.period,
        count(*) filter (where kind = 'resolution' and not has_handoff)
        - count(*) filter (where kind = 'resolution' and in_days and not has_handoff_in_days)
            as resolutions,
        (bool_or(kind = 'handoff' and conversation_exists)::integer
            - bool_or(kind = 'handoff' and conversation_exists and in_days)::integer)::bigint
            as handoff_conversations,
        (bool_or(kind = 'resolution' and conversation_exists and not has_handoff)::integer
            - bool_or(kind = 'resolution' and conversation_exists and in_days and not has_handoff_in_days)::integer)::bigint
            as resolved_conversations
    from judged
    group by judged.entity, judged.period, judged.conversation_id;
end
$$;

drop function if exists report._bot_values(report._question);
create function report._bot_values(p_question report._question)
returns table (metric text, entity bigint, period timestamp, value double precision, count bigint)
language sql stable
as $$
    select
        events.metric,
        counts.entity,
        counts.period,
        case events.kind when 'resolution' then counts.resolutions else counts.handoff_conversations end
            ::double precision,
        null::bigint
    from report._bot_counts(p_question) as counts
    cross join report._bot_events() as events
    where events.metric = any (p_question.metrics)
$$;

create or replace function report._ask_bots(
    p_tenant_id text, p_since timestamptz, p_until timestamptz, p_dimension text, p_id text, p_source text
) returns report._question
language plpgsql stable
as $$
declare
    q report._question;
begin
    perform report._require_family('support');
    q := report._ask(
        'support', 'bots', array(select events.metric from report._bot_events() as events),
        p_tenant_id, p_since, p_until, p_dimension, p_id, null, null, false, p_source
    );
    q.entity := report._require_entity(q, p_id);
    return q;
end
$$;

create or replace function report.bot_summary(
    tenant_id text,
    since timestamptz,
    until timestamptz,
    dimension text default null,
    id text default null,
    source text default 'auto'
) returns setof report.bot_answer
language plpgsql stable
as $$
declare
    q report._question := report._ask_bots(
        bot_summary.tenant_id, bot_summary.since, bot_summary.until,
        bot_summary.dimension, bot_summary.id, bot_summary.source
    );
    present record;
    past record;
begin
    select coalesce(sum(counts.resolutions), 0)::bigint as resolutions,
        coalesce(sum(counts.handoff_conversations), 0)::bigint as handoffs
    into present
    from report._bot_counts(q) as counts;
    select coalesce(sum(counts.resolutions), 0)::bigint as resolutions,
        coalesce(sum(counts.handoff_conversations), 0)::bigint as handoffs
    into past
    from report._bot_counts(report._previous(q)) as counts;
    return query
    select
        present.resolutions,
        present.handoffs,
        past.resolutions,
        past.handoffs,
        report._is_complete(q, q.until),
        report._source(q);
end
$$;
comment on function report.bot_summary is 'Bot resolutions and handoffs of [since, until) and of the equally long period before';
