-- Single screens of the support reports. They read the source: each depends on what conversations
-- are now (label, status, inbox).
set check_function_bodies = off;

create or replace function report._ask_screen(
    p_tenant_id text, p_since timestamptz, p_until timestamptz, p_business_hours boolean default false
) returns report._question
language sql stable
as $$
    select report._ask(
        'support', 'conversations', '{}', p_tenant_id, p_since, p_until, null, null, null, null, p_business_hours, 'raw'
    )
$$;

create or replace function report.label_summary(
    tenant_id text, since timestamptz, until timestamptz, business_hours boolean default false
) returns table (
    id bigint,
    name text,
    conversations_count bigint,
    resolved_conversations_count bigint,
    avg_resolution_time double precision,
    avg_first_response_time double precision,
    avg_reply_time double precision
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := report._ask_screen(
        label_summary.tenant_id, label_summary.since, label_summary.until, label_summary.business_hours
    );
begin
    return query
    with created as (
        select conversations.conversation_id, conversations.entity as label_id
        from report._support_conversations(q.account_id, 'label', q.since, q.until) as conversations
    ),

    created_counts as (
        select label_id, count(*) as conversations
        from created
        group by label_id
    ),

    -- Averages are of these conversations' events, whenever they happened.
    durations as (
        select
            created.label_id,
            registry.report_metric,
            report._mean(sum(measured.value::text::numeric), count(measured.value)) as average
        from created
        inner join visible.support_events as events
            on
                created.conversation_id = events.conversation_id
                and events.account_id = q.account_id
                and events.conversation_watermark >= q.since at time zone 'UTC'
                and events.conversation_watermark < q.until at time zone 'UTC'
        inner join staging.metric_registry as registry
            on
                events.name = registry.event_name
                and registry.payload = 'duration'
        cross join lateral (
            values (case when q.business_hours then events.value_in_business_hours else events.value end)
        ) as measured (value)
        group by created.label_id, registry.report_metric
    ),

    -- Resolutions are those that happened in the window.
    resolutions as (
        select events.entity as label_id, count(*) as events
        from report._support_events(q.account_id, 'label', q.since, q.until) as events
        inner join staging.metric_registry as registry
            on
                events.name = registry.event_name
                and registry.payload = 'count'
                and registry.raw_count_strategy = 'events'
        group by events.entity
    )

    select
        labels.label_id::bigint,
        labels.label_title::text,
        coalesce(created_counts.conversations, 0),
        coalesce(resolutions.events, 0),
        coalesce(resolution.average, 0),
        coalesce(first_response.average, 0),
        coalesce(reply.average, 0)
    from visible.stg_support__labels as labels
    left join created_counts
        on labels.label_id = created_counts.label_id
    left join resolutions
        on labels.label_id = resolutions.label_id
    left join durations as resolution
        on
            labels.label_id = resolution.label_id
            and resolution.report_metric = 'avg_resolution_time'
    left join durations as first_response
        on
            labels.label_id = first_response.label_id
            and first_response.report_metric = 'avg_first_response_time'
    left join durations as reply
        on
            labels.label_id = reply.label_id
            and reply.report_metric = 'reply_time'
    where labels.account_id = q.account_id
    order by labels.label_id;
end
$$;
comment on function report.label_summary is 'Every label: conversations created in [since, until), averages of their events (0 for none), resolutions in the window';

create or replace function report.channel_summary(tenant_id text, since timestamptz, until timestamptz)
returns table (
    channel_type text, open bigint, resolved bigint, pending bigint, snoozed bigint, total bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := report._ask_screen(
        channel_summary.tenant_id, channel_summary.since, channel_summary.until
    );
begin
    if q.until at time zone q.tenant_zone > (q.since at time zone q.tenant_zone) + interval '6 months' then
        perform report._refuse('a summary by channel covers at most 6 months: ask for a shorter range');
    end if;
    return query
    select
        inboxes.channel_type::text,
        count(*) filter (where created.status = 'open'),
        count(*) filter (where created.status = 'resolved'),
        count(*) filter (where created.status = 'pending'),
        count(*) filter (where created.status = 'snoozed'),
        count(*)
    from report._support_conversations(q.account_id, 'account', q.since, q.until) as created
    inner join visible.stg_support__inboxes as inboxes
        on
            created.inbox_id = inboxes.inbox_id
            and inboxes.account_id = q.account_id
    group by inboxes.channel_type
    order by inboxes.channel_type;
end
$$;
comment on function report.channel_summary is 'Conversations created in [since, until) by channel and their status now';

create or replace function report.first_response_distribution(
    tenant_id text, since timestamptz, until timestamptz
) returns table (
    channel_type text, "0-1h" bigint, "1-4h" bigint, "4-8h" bigint, "8-24h" bigint, "24h+" bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := report._ask_screen(
        first_response_distribution.tenant_id,
        first_response_distribution.since,
        first_response_distribution.until
    );
begin
    return query
    select
        inboxes.channel_type::text,
        count(*) filter (where responses.value < 3600),
        count(*) filter (where responses.value >= 3600 and responses.value < 4 * 3600),
        count(*) filter (where responses.value >= 4 * 3600 and responses.value < 8 * 3600),
        count(*) filter (where responses.value >= 8 * 3600 and responses.value < 24 * 3600),
        count(*) filter (where responses.value >= 24 * 3600)
    from report._support_events(q.account_id, 'inbox', q.since, q.until) as responses
    inner join staging.metric_registry as registry
        on
            responses.name = registry.event_name
            and registry.report_metric = 'avg_first_response_time'
    inner join visible.stg_support__inboxes as inboxes
        on
            responses.entity = inboxes.inbox_id
            and inboxes.account_id = q.account_id
    group by inboxes.channel_type
    order by inboxes.channel_type;
end
$$;
comment on function report.first_response_distribution is 'First responses in [since, until) by channel and by how long they took, by the wall clock';

create or replace function report.inbox_label_matrix(tenant_id text, since timestamptz, until timestamptz)
returns table (inbox_id bigint, inbox_name text, label_id bigint, label_title text, count bigint)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
#variable_conflict use_column
declare
    q report._question := report._ask_screen(
        inbox_label_matrix.tenant_id, inbox_label_matrix.since, inbox_label_matrix.until
    );
begin
    return query
    select
        inboxes.inbox_id::bigint,
        inboxes.inbox_name::text,
        labels.label_id::bigint,
        labels.label_title::text,
        count(created.conversation_id)
    from visible.stg_support__inboxes as inboxes
    inner join visible.stg_support__labels as labels
        on inboxes.account_id = labels.account_id
    left join report._support_conversations(q.account_id, 'label', q.since, q.until) as created
        on
            inboxes.inbox_id = created.inbox_id
            and labels.label_id = created.entity
    where inboxes.account_id = q.account_id
    group by inboxes.inbox_id, inboxes.inbox_name, labels.label_id, labels.label_title
    order by inboxes.inbox_name, inboxes.inbox_id, labels.label_title, labels.label_id;
end
$$;
comment on function report.inbox_label_matrix is 'Conversations created in [since, until) by inbox and label, zeros included';

create or replace function report.drilldown(
    tenant_id text,
    metric text,
    bucket timestamptz,
    group_by text,
    since timestamptz,
    until timestamptz,
    dimension text default null,
    id text default null,
    timezone text default null,
    page integer default 1,
    per_page integer default 25
) returns setof report.drilldown_row
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    q report._question;
    counted record := report._metric(drilldown.metric);
    id bigint;
    page_size integer := least(drilldown.per_page, 100);
    bucket_period timestamp;
    event_names text[];
    -- of a bot resolution: the event that excludes it
    exclusion text;
    once_a_conversation boolean := false;
begin
    perform report._require_unit(drilldown.group_by);
    if counted.family <> 'support' then
        perform report._refuse(
            format('metric %s has no drilldown', report._shown(drilldown.metric))
        );
    end if;
    if coalesce(drilldown.page < 1 or drilldown.per_page < 1, true) then
        perform report._refuse('page and per_page start at 1');
    end if;
    q := report._ask_one(
        drilldown.tenant_id, drilldown.metric, drilldown.since, drilldown.until, drilldown.dimension,
        drilldown.id, drilldown.group_by, drilldown.timezone, false, 'raw'
    );
    id := q.entity::bigint;
    bucket_period := report._period(drilldown.bucket, q.unit, q.zone);
    event_names := array(
        select registry.event_name from staging.metric_registry as registry
        where registry.report_metric = drilldown.metric
    );
    select others.event_name into exclusion
    from report._bot_events() as asked
    inner join report._bot_events() as others
        on asked.kind = 'resolution' and others.kind = 'handoff'
    where asked.metric = drilldown.metric;
    once_a_conversation := exists (
        select from report._bot_events() as asked
        where asked.metric = drilldown.metric and asked.kind = 'handoff'
    );

    return query
    with events as (
        select events.*
        from report._support_events(q.account_id, q.dimension, q.since, q.until) as events
        where
            (events.name = any (event_names) or events.name = exclusion)
            and events.entity = id
    ),

    counted_rows as (
        select events.conversation_id, events.event_id, events.occurred_at, events.value
        from events
        left join visible.stg_support__conversations as conversations
            on
                events.conversation_id = conversations.conversation_id
                and conversations.account_id = q.account_id
        where
            events.name = any (event_names)
            and report._period(events.occurred_at, q.unit, q.zone) = bucket_period
            and (conversations.conversation_id is not null or not once_a_conversation)
            and not exists (
                select from events as handoffs
                where handoffs.name = exclusion and handoffs.conversation_id = events.conversation_id
            )
        union all
        select created.conversation_id, null, created.occurred_at, null
        from report._support_conversations(q.account_id, q.dimension, q.since, q.until) as created
        where
            q.topic = 'conversations'
            and created.entity = id
            and report._period(created.occurred_at, q.unit, q.zone) = bucket_period
        union all
        select messages.conversation_id, messages.message_id, messages.occurred_at, null
        from report._support_messages(q.account_id, q.dimension, q.since, q.until) as messages
        inner join report._conversation_metrics() as metrics
            on messages.direction = metrics.direction
        where
            q.topic = 'messages'
            and metrics.metric = drilldown.metric
            and messages.entity = id
            and report._period(messages.occurred_at, q.unit, q.zone) = bucket_period
    ),

    numbered as (
        select
            counted_rows.*,
            row_number() over (
                partition by counted_rows.conversation_id
                order by counted_rows.occurred_at, counted_rows.event_id
            ) as place
        from counted_rows
    )

    select
        count(*) over (),
        numbered.conversation_id,
        numbered.event_id,
        numbered.occurred_at,
        numbered.value
    from numbered
    where numbered.place = 1 or not once_a_conversation
    order by numbered.occurred_at, numbered.event_id, numbered.conversation_id
    limit page_size
    offset (drilldown.page - 1)::bigint * page_size;
end
$$;
comment on function report.drilldown is 'The rows behind one period of a series (event_id: of the event or message), a page at a time; at most 100 a page';

create or replace function report.duration_text(seconds double precision) returns text
language sql immutable parallel safe
as $$
    -- At most two units, those that are zero left out, fractions cut; N/A for nothing.
    select coalesce(string_agg(part.text, ' ' order by part.place), 'N/A')
    from (
        select
            units.place,
            units.number || ' ' || units.name || case when units.number > 1 then 's' else '' end as text
        from (select trunc($1)::bigint as whole where $1 > 0 and $1 < 1e15) as given
        cross join lateral (
            values
                (1, 'day', given.whole / 86400),
                (2, 'hour', given.whole % 86400 / 3600),
                (3, 'minute', given.whole % 3600 / 60),
                (4, 'second', given.whole % 60)
        ) as units (place, name, number)
        where units.number > 0
        order by units.place
        limit 2
    ) as part
$$;
comment on function report.duration_text is 'Seconds in words, as the application writes them into its files';
