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
    p_question report._question,
    out conversation_count bigint,
    out message_count bigint,
    out begun_in_edges bigint[]
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
-- Conversations created in the window in inboxes that have a bot now, and the messages sent in them
-- within the window. Those that began in the edges are told by name, to be judged one by one.
declare
    q report._question := p_question;
    bot_inboxes bigint[] := report._bot_inboxes(q.account_id);
    of_edges record := report._bot_conversations_of_edges(q, bot_inboxes);
begin
    begun_in_edges := of_edges.begun;
    select coalesce(sum(days.conversations_count), 0) + cardinality(begun_in_edges)
    into conversation_count
    from analytics.conversations_daily as days
    where
        days.tenant_id = q.tenant_id
        and days.dimension_type = 'inbox'
        and days.dimension_id = any (bot_inboxes)
        and days.date >= q.first_day
        and days.date < q.end_day;

    select coalesce(sum(days.outgoing_messages_count), 0) + of_edges.message_count
    into message_count
    from intermediate.support_bot_messages_daily as days
    where
        days.tenant_id = q.tenant_id
        and days.inbox_id = any (bot_inboxes)
        and days.date >= q.first_day
        and days.date < q.end_day
        and days.conversation_date >= q.first_day
        and days.conversation_date < q.end_day;
end
$$;

drop function if exists report._bot_conversations_of_edges(report._question, bigint[]);
create function report._bot_conversations_of_edges(
    p_question report._question,
    p_bot_inboxes bigint[],
    out begun bigint[],
    out message_count bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
-- What the whole days do not know: a conversation began, or a message was sent, in an edge.
declare
    q report._question := p_question;
begin
    begun := '{}';
    message_count := 0;
    if not report._has_edges(q) then
        return;
    end if;

    begun := array(
        select created.conversation_id
        from report._support_conversations(
            q.account_id, 'account', q.since, q.left_until, q.right_since, q.until
        ) as created
        where created.inbox_id = any (p_bot_inboxes)
    );

    -- sent in the edges, in any conversation of the window: those of the edges first, they are fewer
    with sent_in_edges as materialized (
        select sent.conversation_inbox_id, sent.conversation_watermark
        from report._support_messages(
            q.account_id, 'account', q.since, q.left_until, q.right_since, q.until
        ) as sent
        where sent.direction = 'outgoing'
    )

    select count(*) into message_count
    from sent_in_edges as sent
    where
        sent.conversation_inbox_id = any (p_bot_inboxes)
        and sent.conversation_watermark >= q.since at time zone 'UTC'
        and sent.conversation_watermark < q.until at time zone 'UTC';

    -- sent on the whole days, in conversations that began in the edges
    if q.whole_from is not null then
        select message_count + count(*) into message_count
        from visible.support_messages as sent
        where
            sent.account_id = q.account_id
            and sent.conversation_id = any (begun)
            and sent.direction = 'outgoing'
            and sent.occurred_watermark >= q.whole_from at time zone 'UTC'
            and sent.occurred_watermark < q.whole_until at time zone 'UTC';
    end if;
end
$$;

drop function if exists report._bot_outcomes(report._question);
drop function if exists report._bot_outcomes(report._question, bigint[]);
create function report._bot_outcomes(
    p_question report._question, p_begun_in_edges bigint[], out resolved bigint, out handed_off bigint
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
    of_edges record := report._bot_outcomes_of_edges(q, bot_inboxes, p_begun_in_edges);
begin
    select
        of_edges.resolved
        + coalesce(
            sum(daily.event_count) filter (
                where
                    daily.kind = 'resolution'
                    and daily.previous_resolution_date < q.first_day
                    and daily.previous_handoff_date < q.first_day
                    and daily.next_handoff_date >= q.end_day
            ),
            0
        ),
        of_edges.handed_off
        + coalesce(
            sum(daily.event_count) filter (
                where daily.kind = 'handoff' and daily.previous_handoff_date < q.first_day
            ),
            0
        )
    into resolved, handed_off
    from intermediate.support_bot_daily as daily
    where
        daily.tenant_id = q.tenant_id
        and daily.dimension_type = 'account'
        and daily.date >= q.first_day
        and daily.date < q.end_day
        and daily.conversation_date >= q.first_day
        and daily.conversation_date < q.end_day
        and daily.conversation_inbox_id = any (bot_inboxes);
end
$$;

drop function if exists report._bot_outcomes_of_edges(report._question, bigint[], bigint[]);
create function report._bot_outcomes_of_edges(
    p_question report._question,
    p_bot_inboxes bigint[],
    p_begun bigint[],
    out resolved bigint,
    out handed_off bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question := p_question;
    resolution_event text;
    handoff_event text;
begin
    resolved := 0;
    handed_off := 0;
    if not report._has_edges(q) then
        return;
    end if;
    select names.resolution, names.handoff into resolution_event, handoff_event
    from report._bot_event_names() as names;

    with rows_of_edges as (
        select * from report._support_events(
            q.account_id, 'account', q.since, q.left_until, q.right_since, q.until
        )
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

    subjects as materialized (
        select begun.conversation_id, false as began_in_days
        from unnest(p_begun) as begun (conversation_id)
        union
        select edges.conversation_id, true
        from edges
        where
            edges.conversation_inbox_id = any (p_bot_inboxes)
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
        inner join report._bot_events_of_days(
            q, 'account', array(select subjects.conversation_id from subjects)
        ) as known
            on subjects.conversation_id = known.conversation_id
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
    )

    select
        coalesce(
            sum(
                (judged.has_resolution and not judged.has_handoff)::integer
                -- what the days made of it is taken back
                - (judged.began_in_days and judged.has_resolution_in_days and not judged.has_handoff_in_days)::integer
            ),
            0
        ),
        coalesce(
            sum(judged.has_handoff::integer - (judged.began_in_days and judged.has_handoff_in_days)::integer), 0
        )
    into resolved, handed_off
    from judged;
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
    outcomes record := report._bot_outcomes(q, bots.begun_in_edges);
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
