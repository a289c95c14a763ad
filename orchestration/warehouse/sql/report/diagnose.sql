-- Looking for what is wrong: raw against rollup, handoffs that were counted twice, and freshness.
set check_function_bodies = off;

create or replace function report.diagnose(
    tenant_id text, metric text, since timestamptz, until timestamptz, dimension text default null
) returns setof report.difference
language plpgsql stable
as $$
declare
    asked record := report._metric(diagnose.metric);
    one_dimension text;
    q report._question;
    raw_question report._question;
begin
    for one_dimension in
        select name
        from unnest(report._dimensions(asked.family)) with ordinality as dimensions (name, place)
        -- labels have no rollups: asked for by name they are refused
        where coalesce(name = diagnose.dimension, name <> 'label')
        union all
        select diagnose.dimension where diagnose.dimension <> all (report._dimensions(asked.family))
    loop
        q := report._ask(
            asked.family, asked.topic, array[diagnose.metric], diagnose.tenant_id, diagnose.since,
            diagnose.until, one_dimension, null, 'day', null, false, 'rollup'
        );
        if q.first_day is null then
            perform report._refuse(
                format('there is no whole day of %s between since and until', q.tenant_zone)
            );
        end if;
        -- Whole days on both sides; of edges both would read the same rows.
        q.since := q.whole_from;
        q.until := q.whole_until;
        raw_question := q;
        raw_question.reads := 'raw';
        raw_question := report._cut(raw_question);
        return query
        select
            coalesce(counted.period, stored.period)::date,
            one_dimension,
            coalesce(counted.entity, stored.entity),
            counted.value,
            stored.value
        from report._values(raw_question) as counted
        full join report._values(q) as stored
            on counted.period = stored.period and counted.entity = stored.entity
        where
            coalesce(counted.value, 0) <> coalesce(stored.value, 0)
            or coalesce(counted.count, 0) <> coalesce(stored.count, 0)
        order by 1, 3;
    end loop;
end
$$;
comment on function report.diagnose is 'Days and members for which a metric read raw and from rollups differs, over the whole local days of [since, until)';

create or replace function report.diagnose_bots(tenant_id text, since timestamptz, until timestamptz)
returns setof report.bot_diagnosis
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question := report._ask_bots(
        diagnose_bots.tenant_id, diagnose_bots.since, diagnose_bots.until, null, null, 'raw'
    );
    bots record := report._bot_conversations(q);
    handed_off bigint;
    resolved bigint;
    both_kinds bigint;
    shown jsonb;
begin
    with conversations as (
        select
            events.conversation_id,
            min(events.occurred_at) filter (where kinds.kind = 'resolution') as resolved_at,
            min(events.occurred_at) filter (where kinds.kind = 'handoff') as handoff_at
        from report._support_events(q.account_id, q.dimension, q.since, q.until) as events
        inner join report._bot_events() as kinds
            on events.name = kinds.event_name
        where events.conversation_id is not null
        group by events.conversation_id
    ),

    samples as (
        select
            conversations.*,
            details.inbox_id,
            inboxes.inbox_name,
            details.status
        from conversations
        left join visible.stg_support__conversations as details
            on
                conversations.conversation_id = details.conversation_id
                and details.account_id = q.account_id
        left join visible.stg_support__inboxes as inboxes
            on
                details.inbox_id = inboxes.inbox_id
                and inboxes.account_id = q.account_id
        where conversations.resolved_at is not null and conversations.handoff_at is not null
        order by conversations.conversation_id
        limit 5
    )

    select
        count(conversations.handoff_at),
        count(conversations.resolved_at),
        count(*) filter (where conversations.handoff_at is not null and conversations.resolved_at is not null),
        (select coalesce(jsonb_agg(to_jsonb(samples) order by samples.conversation_id), '[]') from samples)
    into handed_off, resolved, both_kinds, shown
    from conversations;

    return query
    select
        bots.conversation_count,
        handed_off,
        resolved,
        both_kinds,
        rates.before,
        rates.handoff,
        rates.before + rates.handoff,
        rates.after,
        rates.handoff,
        rates.after + rates.handoff,
        shown
    from (
        select
            case when bots.conversation_count > 0 then report._truncated_percent(resolved, bots.conversation_count) end,
            case when bots.conversation_count > 0 then report._truncated_percent(resolved - both_kinds, bots.conversation_count) end,
            case when bots.conversation_count > 0 then report._truncated_percent(handed_off, bots.conversation_count) end
    ) as rates (before, after, handoff);
end
$$;
comment on function report.diagnose_bots is 'Conversations with both a bot resolution and a handoff in [since, until), and what the rates are with and without them';

drop function if exists report._freshness(text);
create function report._freshness(p_family text)
returns setof report.tenant_freshness
language plpgsql stable
as $$
-- As ops.tenant_status says it, of the tenants that whoever asks may see.
begin
    return query execute format(
        $q$
            with capture as (
                select case when bool_and(watermark.captured_at is not null) then min(watermark.captured_at) end as captured_at
                from ops.capture_source as source
                left join ops.watermark
                    on source.family = watermark.family and source.source_table = watermark.source_table
                where source.family = $1
            ),

            work as (
                select
                    pending.tenant_id,
                    count(*) as pieces,
                    min(pending.noted_at) filter (where pending.reason <> 'command-line backfill') as missing_since
                from visible.pending
                where pending.family = $1
                group by pending.tenant_id
            ),

            known as (
                select
                    tenants.tenant_id,
                    tenants.timezone,
                    coalesce(work.pieces, 0) as pieces,
                    case
                        when tenants.problem is null and ops.is_tenant_id(tenants.tenant_id) and capture.captured_at is not null
                            then nullif(least(capture.captured_at, work.missing_since), '-infinity')
                    end as complete_through,
                    case
                        when not ops.is_tenant_id(tenants.tenant_id)
                            then 'its id has a comma, a bar, ''...'', control characters or outer spaces'
                        else tenants.problem
                    end as problem
                from visible.%I as tenants
                cross join capture
                left join work on tenants.tenant_id = work.tenant_id
            )

            select
                $1,
                known.tenant_id,
                known.timezone,
                known.complete_through,
                known.pieces,
                extract(epoch from now() - known.complete_through)::double precision / 60,
                known.problem
            from known
            order by known.tenant_id
        $q$,
        'stg_' || p_family || '__tenants'
    ) using p_family;
end
$$;

create or replace function report.freshness(tenant_id text default null)
returns setof report.tenant_freshness
language plpgsql stable
as $$
declare
    family_name text;
    is_known boolean := false;
begin
    foreach family_name in array array['outreach', 'support'] loop
        if report._has_family(family_name) then
            return query
            select found.*
            from report._freshness(family_name) as found
            where freshness.tenant_id is null or found.tenant_id = freshness.tenant_id;
            is_known := is_known or found;
        end if;
    end loop;
    if not is_known and freshness.tenant_id is not null then
        perform report._refuse(format('tenant %s not found', report._shown(freshness.tenant_id)));
    end if;
end
$$;
comment on function report.freshness is 'Through when each tenant''s rollups are complete, what is pending, and why a tenant has none';
