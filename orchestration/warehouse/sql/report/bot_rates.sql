-- Rates of bots: of the conversations that began in a window, how many they resolved or handed off.
set check_function_bodies = off;

create or replace function report._bot_inboxes(p_account_id integer) returns bigint[]
language sql stable
as $$
    select array(
        select inboxes.inbox_id from visible.stg_support__inboxes as inboxes
        where inboxes.account_id = p_account_id and inboxes.has_active_bot
    )
$$;
comment on function report._bot_inboxes is 'Inboxes of an account that have a bot now';

drop function if exists report._bot_conversations(report._question);
create function report._bot_conversations(
    p_question report._question, out conversation_count bigint, out message_count bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
-- Conversations created in the window in inboxes that have a bot now, and the messages sent in them
-- within the window.
declare
    q report._question := p_question;
    bot_inboxes bigint[] := report._bot_inboxes(q.account_id);
begin
    select
        coalesce((
            select sum(days.conversations_count)
            from analytics.conversations_daily as days
            where
                days.tenant_id = q.tenant_id
                and days.dimension_type = 'inbox'
                and days.dimension_id = any (bot_inboxes)
                and days.date >= q.first_day
                and days.date < q.end_day
        ), 0)
        + (
            select count(*)
            from (
                select * from report._support_conversations(q.account_id, 'account', q.since, q.left_until)
                union all
                select * from report._support_conversations(q.account_id, 'account', q.right_since, q.until)
            ) as created
            where created.inbox_id = any (bot_inboxes)
        )
    into conversation_count;

    select
        coalesce((
            select sum(days.outgoing_messages_count)
            from intermediate.support_bot_messages_daily as days
            where
                days.tenant_id = q.tenant_id
                and days.inbox_id = any (bot_inboxes)
                and days.date >= q.first_day
                and days.date < q.end_day
                and days.conversation_date >= q.first_day
                and days.conversation_date < q.end_day
        ), 0)
        + (
            -- sent in the edges, in any conversation of the window
            select count(*)
            from (
                select * from report._support_messages(q.account_id, 'account', q.since, q.left_until)
                union all
                select * from report._support_messages(q.account_id, 'account', q.right_since, q.until)
            ) as sent
            where
                sent.direction = 'outgoing'
                and sent.conversation_inbox_id = any (bot_inboxes)
                and sent.conversation_watermark >= q.since at time zone 'UTC'
                and sent.conversation_watermark < q.until at time zone 'UTC'
        )
        + (
            -- sent on the whole days, in conversations created in the edges
            select count(*)
            from visible.support_messages as sent
            where
                sent.account_id = q.account_id
                and sent.direction = 'outgoing'
                and sent.conversation_inbox_id = any (bot_inboxes)
                and sent.conversation_watermark >= q.since at time zone 'UTC'
                and sent.conversation_watermark < q.left_until at time zone 'UTC'
                and sent.occurred_watermark >= q.whole_from at time zone 'UTC'
                and sent.occurred_watermark < q.whole_until at time zone 'UTC'
        )
        + (
            select count(*)
            from visible.support_messages as sent
            where
                sent.account_id = q.account_id
                and sent.direction = 'outgoing'
                and sent.conversation_inbox_id = any (bot_inboxes)
                and sent.conversation_watermark >= q.right_since at time zone 'UTC'
                and sent.conversation_watermark < q.until at time zone 'UTC'
                and sent.occurred_watermark >= q.whole_from at time zone 'UTC'
                and sent.occurred_watermark < q.whole_until at time zone 'UTC'
        )
    into message_count;
end
$$;

drop function if exists report._bot_outcomes(report._question);
create function report._bot_outcomes(
    p_question report._question, out resolved bigint, out handed_off bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
-- Of the conversations created in the window in inboxes that have a bot now: how many a bot handed
-- off in the window, and how many of the others it resolved. As _bot_counts: whole days are summed,
-- conversations that began or did something in the edges are judged one by one.
declare
    q report._question := p_question;
    bot_inboxes bigint[] := report._bot_inboxes(q.account_id);
    resolution_event text;
    handoff_event text;
begin
    select names.resolution, names.handoff into resolution_event, handoff_event
    from report._bot_event_names() as names;

    with of_days as (
        select
            coalesce(
                sum(daily.event_count) filter (
                    where
                        daily.kind = 'resolution'
                        and daily.previous_resolution_date < q.first_day
                        and daily.previous_handoff_date < q.first_day
                        and daily.next_handoff_date >= q.end_day
                ),
                0
            ) as resolved,
            coalesce(
                sum(daily.event_count) filter (
                    where daily.kind = 'handoff' and daily.previous_handoff_date < q.first_day
                ),
                0
            ) as handed_off
        from intermediate.support_bot_daily as daily
        where
            daily.tenant_id = q.tenant_id
            and daily.dimension_type = 'account'
            and daily.date >= q.first_day
            and daily.date < q.end_day
            and daily.conversation_date >= q.first_day
            and daily.conversation_date < q.end_day
            and daily.conversation_inbox_id = any (bot_inboxes)
    ),

    rows_of_edges as (
        select * from report._support_events(q.account_id, 'account', q.since, q.left_until)
        union all
        select * from report._support_events(q.account_id, 'account', q.right_since, q.until)
    ),

    edges as materialized (
        select
            rows_of_edges.conversation_id,
            rows_of_edges.conversation_inbox_id,
            rows_of_edges.conversation_watermark,
            case when rows_of_edges.name = handoff_event then 'handoff' else 'resolution' end as kind
        from rows_of_edges
        where rows_of_edges.name in (resolution_event, handoff_event)
    ),

    began_in_edges as (
        select * from report._support_conversations(q.account_id, 'account', q.since, q.left_until)
        union all
        select * from report._support_conversations(q.account_id, 'account', q.right_since, q.until)
    ),

    subjects as materialized (
        select began_in_edges.conversation_id, false as began_in_days
        from began_in_edges
        where began_in_edges.inbox_id = any (bot_inboxes)
        union
        select edges.conversation_id, true
        from edges
        where
            edges.conversation_inbox_id = any (bot_inboxes)
            and edges.conversation_watermark >= q.whole_from at time zone 'UTC'
            and edges.conversation_watermark < q.whole_until at time zone 'UTC'
    ),

    events as (
        select subjects.conversation_id, subjects.began_in_days, edges.kind, false as in_days
        from subjects
        inner join edges
            on subjects.conversation_id = edges.conversation_id
        union all
        select subjects.conversation_id, subjects.began_in_days, known.kind, true
        from subjects
        inner join intermediate.support_bot_events as known
            on
                known.tenant_id = q.tenant_id
                and subjects.conversation_id::text = known.conversation_key
                and known.dimension_type = 'account'
        where known.date >= q.first_day and known.date < q.end_day
    ),

    judged as (
        select
            events.began_in_days,
            bool_or(events.kind = 'resolution') as has_resolution,
            bool_or(events.kind = 'handoff') as has_handoff,
            bool_or(events.kind = 'resolution' and events.in_days) as has_resolution_in_days,
            bool_or(events.kind = 'handoff' and events.in_days) as has_handoff_in_days
        from events
        group by events.conversation_id, events.began_in_days
    ),

    parts as (
        select of_days.resolved, of_days.handed_off from of_days
        union all
        -- what the days made of it is taken back
        select
            (judged.has_resolution and not judged.has_handoff)::integer
            - (judged.began_in_days and judged.has_resolution_in_days and not judged.has_handoff_in_days)::integer,
            judged.has_handoff::integer - (judged.began_in_days and judged.has_handoff_in_days)::integer
        from judged
    )

    select sum(parts.resolved)::bigint, sum(parts.handed_off)::bigint
    into resolved, handed_off
    from parts;
end
$$;

create or replace function report.bot_metrics(
    tenant_id text, since timestamptz, until timestamptz, source text default 'auto'
) returns setof report.bot_rates
language plpgsql stable
as $$
declare
    q report._question := report._ask_bots(
        bot_metrics.tenant_id, bot_metrics.since, bot_metrics.until, null, null, bot_metrics.source
    );
    bots record := report._bot_conversations(q);
    outcomes record := report._bot_outcomes(q);
    resolved bigint;
    handed_off bigint;
begin
    select coalesce(sum(counts.resolved_conversations), 0), coalesce(sum(counts.handoff_conversations), 0)
    into resolved, handed_off
    from report._bot_counts(q) as counts;
    return query
    select
        bots.conversation_count,
        bots.message_count,
        resolved,
        handed_off,
        outcomes.resolved,
        outcomes.handed_off,
        report._percent(outcomes.resolved, bots.conversation_count),
        report._percent(outcomes.handed_off, bots.conversation_count),
        report._truncated_percent(resolved, bots.conversation_count),
        report._truncated_percent(handed_off, bots.conversation_count),
        report._is_complete(q, q.until),
        report._source(q);
end
$$;
comment on function report.bot_metrics is 'Conversations that began in [since, until) in bots'' inboxes, and the share of them that bots resolved or handed off';

create or replace function report._percent(p_part bigint, p_whole bigint) returns numeric
language sql immutable parallel safe
as $$ select coalesce(100 * p_part::numeric / nullif(p_whole, 0), 0) $$;

create or replace function report._truncated_percent(p_part bigint, p_whole bigint) returns integer
language sql immutable parallel safe
as $$
    -- As the application cuts it from a double: 29 of 100 is 28.
    select coalesce(trunc(p_part::double precision / nullif(p_whole, 0) * 100)::integer, 0)
$$;
