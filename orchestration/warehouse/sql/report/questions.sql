-- The questions that any metric answers: a series, one number, a summary by member.
set check_function_bodies = off;

drop function if exists report._values(report._question);
create function report._values(p_question report._question)
returns table (metric text, entity text, period timestamp, value double precision, count bigint)
language plpgsql stable
as $$
begin
    case p_question.topic
        when 'events' then
            return query
            select found.metric, found.entity::text, found.period, found.value, found.count
            from report._event_values(p_question) as found;
        when 'bots' then
            return query
            select found.metric, found.entity::text, found.period, found.value, found.count
            from report._bot_values(p_question) as found;
        when 'activities' then
            return query select * from report._outreach_values(p_question);
        when 'conversations' then
            return query
            select found.metric, found.entity::text, found.period, found.value, found.count
            from report._conversation_values(p_question) as found;
        when 'messages' then
            return query
            select found.metric, found.entity::text, found.period, found.value, found.count
            from report._message_values(p_question) as found;
    end case;
end
$$;
comment on function report._values is 'What there is to say about each metric, member and period; nothing where there is nothing';

create or replace function report.timeseries(
    tenant_id text,
    metric text,
    since timestamptz,
    until timestamptz,
    group_by text default 'day',
    dimension text default null,
    id text default null,
    timezone text default null,
    business_hours boolean default false,
    source text default 'auto'
) returns setof report.series_point
language plpgsql stable
as $$
declare
    q report._question;
    kind text := (report._metric(timeseries.metric)).kind;
begin
    perform report._require_unit(timeseries.group_by);
    q := report._ask_one(
        timeseries.tenant_id, timeseries.metric, timeseries.since, timeseries.until,
        timeseries.dimension, timeseries.id, timeseries.group_by, timeseries.timezone,
        timeseries.business_hours, timeseries.source
    );
    perform report._require_few_periods(q);
    return query
    select
        periods.starts_at,
        -- A rate of nothing is unknown; an average of nothing is drawn as 0, with a count of 0.
        case kind when 'rate' then found.value else coalesce(found.value, 0) end,
        case when kind <> 'count' then coalesce(found.count, 0) end,
        report._is_complete(q, periods.ends_at),
        report._source(q)
    from report._periods(q.since, q.until, q.unit, q.zone) as periods
    left join report._values(q) as found
        on periods.period = found.period
    order by periods.starts_at;
end
$$;
comment on function report.timeseries is 'A metric by hour, day, week (from Sunday), month or year within [since, until); every period is there';

create or replace function report._units() returns text[]
language sql immutable parallel safe
as $$ select array['hour', 'day', 'week', 'month', 'year'] $$;

create or replace function report._require_unit(p_unit text) returns void
language sql stable
as $$ select report._require_one_of('group_by', p_unit, report._units()) $$;

create or replace function report._require_few_periods(p_question report._question) returns void
language plpgsql stable
as $$
declare
    hours double precision := extract(epoch from p_question.until - p_question.since) / 3600;
    most integer := 100000;
begin
    if (hours / case p_question.unit when 'hour' then 1 else 24 end) > most then
        perform report._refuse(
            format('a series has at most %s periods: ask for fewer or longer ones', most)
        );
    end if;
end
$$;

create or replace function report.aggregate(
    tenant_id text,
    metric text,
    since timestamptz,
    until timestamptz,
    dimension text default null,
    id text default null,
    business_hours boolean default false,
    source text default 'auto'
) returns setof report.answer
language plpgsql stable
as $$
declare
    q report._question;
    kind text := (report._metric(aggregate.metric)).kind;
begin
    q := report._ask_one(
        aggregate.tenant_id, aggregate.metric, aggregate.since, aggregate.until,
        aggregate.dimension, aggregate.id, null, null, aggregate.business_hours, aggregate.source
    );
    return query
    select
        case kind when 'count' then coalesce(found.value, 0) else found.value end,
        case when kind <> 'count' then coalesce(found.count, 0) end,
        report._is_complete(q, q.until),
        report._source(q)
    from (values (1)) as one (row)
    left join report._values(q) as found
        on true;
end
$$;
comment on function report.aggregate is 'A metric over [since, until) as one number; an average of nothing is NULL';

drop function if exists report._summary_metrics(text, text);
create function report._summary_metrics(p_family text, p_dimension text)
returns table (place bigint, metric text, topic text, kind text)
language plpgsql stable
as $$
begin
    if p_family = 'support' then
        return query
        select
            row_number() over (order by found.topic, found.metric), found.metric, found.topic, found.kind
        from report._support_metrics() as found
        where
            found.topic in ('conversations', 'events')
            or found.topic = 'messages' and p_dimension = 'account';
    else
        return query
        select row_number() over (), found.metric, 'activities', found.kind
        from report._outreach_metrics() as found
        where
            found.kind = 'rate'
            or found.metric in ('sends', 'delivered', 'opens', 'clicks', 'bounces', 'unsubscribes');
    end if;
end
$$;
comment on function report._summary_metrics is 'What a summary shows';

create or replace function report._family_of(p_tenant_id text, p_dimension text) returns text
language plpgsql stable
as $$
-- Of a dimension its family; without one the family that knows the tenant, support first.
declare
    families text[] := array(
        select name from unnest(array['support', 'outreach']) with ordinality as known (name, place)
        where report._has_family(name)
        order by place
    );
    name text;
    allowed text[] := '{}';
begin
    foreach name in array families loop
        allowed := allowed || report._dimensions(name);
        if p_dimension = any (report._dimensions(name)) then
            return name;
        end if;
    end loop;
    if p_dimension is not null then
        perform report._require_one_of('dimension', p_dimension, allowed);
    end if;
    if families[1] = 'support' then
        perform from visible.stg_support__tenants as tenants where tenants.tenant_id = p_tenant_id;
        if found then
            return 'support';
        end if;
    end if;
    if 'outreach' = any (families) then
        perform from visible.stg_outreach__tenants as tenants where tenants.tenant_id = p_tenant_id;
        if found then
            return 'outreach';
        end if;
    end if;
    return families[1];
end
$$;

create or replace function report.summary(
    tenant_id text,
    since timestamptz,
    until timestamptz,
    dimension text default null,
    business_hours boolean default false,
    source text default 'auto',
    id text default null
) returns setof report.summary_value
language plpgsql stable
as $$
declare
    family text := report._family_of(summary.tenant_id, summary.dimension);
    wanted record;
    q report._question;
    places text[] := '{}';
    rows report.summary_value[] := '{}';
begin
    for wanted in
        select
            shown.topic,
            array_agg(shown.metric order by shown.place) as metrics,
            array_agg(shown.kind order by shown.place) as kinds
        from report._summary_metrics(family, coalesce(summary.dimension, 'account')) as shown
        group by shown.topic
        order by min(shown.place)
    loop
        q := report._ask(
            family, wanted.topic, wanted.metrics, summary.tenant_id, summary.since, summary.until,
            summary.dimension, summary.id, null, null, summary.business_hours, summary.source
        );
        if summary.id is not null then
            q.entity := report._require_entity(q, summary.id);
        end if;
        places := places || wanted.metrics;
        rows := rows || array(
            select
                row(
                    q.dimension,
                    entities.id,
                    entities.name,
                    metrics.metric,
                    case when metrics.kind = 'count' then coalesce(present.value, 0) else present.value end,
                    case when metrics.kind = 'count' then coalesce(past.value, 0) else past.value end,
                    report._is_complete(q, q.until)
                )::report.summary_value
            from report._entities(q, q.entity) as entities
            cross join unnest(wanted.metrics, wanted.kinds) as metrics (metric, kind)
            left join report._values(q) as present
                on entities.id = present.entity and metrics.metric = present.metric
            left join report._values(report._previous(q)) as past
                on entities.id = past.entity and metrics.metric = past.metric
        );
    end loop;
    return query
    select found.*
    from unnest(rows) as found
    -- numbers in their order
    order by length(found.id), found.id, array_position(places, found.metric);
end
$$;
comment on function report.summary is 'Every existing member of a dimension with its metrics over [since, until) and over the equally long period before';

create or replace function report.source_of(
    tenant_id text,
    metric text,
    dimension text default null,
    group_by text default null,
    timezone text default null
) returns text
language plpgsql stable
as $$
declare
    found record := report._metric(source_of.metric);
    q report._question;
begin
    if source_of.group_by is not null then
        perform report._require_unit(source_of.group_by);
    end if;
    q := report._ask(
        found.family, found.topic, array[source_of.metric], source_of.tenant_id,
        now() - interval '1 hour', now(), source_of.dimension, null, source_of.group_by,
        source_of.timezone, false, 'auto'
    );
    return q.reads;
end
$$;
comment on function report.source_of is 'Where source auto reads the whole days of such a question: raw or rollup';

create or replace function report.timezone_of(tenant_id text, metric text default null) returns text
language plpgsql stable
as $$
declare
    family text := case
        when timezone_of.metric is null then report._family_of(timezone_of.tenant_id, null)
        else (report._metric(timezone_of.metric)).family
    end;
begin
    return coalesce((report._tenant(family, timezone_of.tenant_id)).zone, report._zone('UTC'));
end
$$;
comment on function report.timezone_of is 'Zone in which a tenant is reported (of the family of a metric); UTC where it has none';

create or replace function report.day_start(day date, timezone text) returns timestamptz
language sql stable
as $$ select report._day_start(day, report._zone(timezone)) $$;
comment on function report.day_start is 'First instant of a local day: what since and until are made of';
