-- Periods of a series and the cut of a window into whole days, in any time zone.
--
-- An instant belongs to the period of its local time. The start of a local day is its first instant:
-- a midnight that the clock shows twice is the first, one that it leaves out is the moment after.
set check_function_bodies = off;

create or replace function report._day_start(p_day date, p_zone text) returns timestamptz
language plpgsql stable strict parallel safe
as $$
declare
    midnight timestamptz := p_day::timestamp at time zone p_zone;
    low timestamptz := midnight - interval '24 hours';
    high timestamptz := midnight + interval '24 hours';
    middle timestamptz;
    offset_before interval;
    before_change timestamptz;
begin
    if
        low at time zone p_zone = p_day - interval '1 day'
        and high at time zone p_zone = p_day + interval '1 day'
    then
        return midnight;
    end if;
    -- The clock is changed within a day of it: find the second at which it is.
    offset_before := (low at time zone p_zone) - (low at time zone 'UTC');
    while high - low > interval '1 second' loop
        middle := low + make_interval(secs => floor(extract(epoch from high - low) / 2));
        if (middle at time zone p_zone) - (middle at time zone 'UTC') = offset_before then
            low := middle;
        else
            high := middle;
        end if;
    end loop;
    before_change := (p_day - offset_before) at time zone 'UTC';
    if before_change < high then
        return before_change;
    end if;
    return greatest(
        high, (p_day - ((high at time zone p_zone) - (high at time zone 'UTC'))) at time zone 'UTC'
    );
end
$$;
comment on function report._day_start is 'First instant of a local day';

create or replace function report._period_of_day(p_day date, p_unit text) returns timestamp
language sql stable parallel safe
as $$
    select case p_unit
        -- weeks start on Sunday
        when 'week' then date_trunc('week', p_day::timestamp + interval '1 day') - interval '1 day'
        else date_trunc(p_unit, p_day::timestamp)
    end
$$;
comment on function report._period_of_day is 'Local start of the day, week, month or year of a date; NULL without a unit';

create or replace function report._period(p_at timestamptz, p_unit text, p_zone text) returns timestamp
language sql stable parallel safe
as $$
    select case p_unit
        -- in UTC: the hour that a clock shows twice is two hours
        when 'hour' then date_trunc('hour', p_at, p_zone) at time zone 'UTC'
        when 'week' then date_trunc('week', (p_at at time zone p_zone) + interval '1 day') - interval '1 day'
        else date_trunc(p_unit, p_at at time zone p_zone)
    end
$$;
comment on function report._period is 'Period of an instant: its local start, of hours their start in UTC; NULL without a unit';

drop function if exists report._periods(timestamptz, timestamptz, text, text);
create function report._periods(p_since timestamptz, p_until timestamptz, p_unit text, p_zone text)
returns table (period timestamp, starts_at timestamptz, ends_at timestamptz)
language plpgsql stable
as $$
declare
    last_instant timestamptz := p_until - interval '1 microsecond';
begin
    if p_unit = 'hour' then
        return query
        select hours.period, hours.period at time zone 'UTC', (hours.period + interval '1 hour') at time zone 'UTC'
        from (
            -- No clock is changed by less than half an hour: no period lies between two of these.
            select report._period(moments.at, p_unit, p_zone) as period
            from generate_series(p_since, last_instant, interval '30 minutes') as moments (at)
            union
            select report._period(last_instant, p_unit, p_zone)
        ) as hours
        order by 1;
        return;
    end if;
    return query
    with starts as materialized (
        -- one more than is asked for: each period ends where the next one starts
        select days.period, report._day_start(days.period::date, p_zone) as starts_at
        from generate_series(
            report._period(p_since, p_unit, p_zone),
            report._period(last_instant, p_unit, p_zone) + ('1 ' || p_unit)::interval,
            ('1 ' || p_unit)::interval
        ) as days (period)
    ),

    spans as (
        select starts.period, starts.starts_at, lead(starts.starts_at) over (order by starts.period) as ends_at
        from starts
    )

    select spans.period, spans.starts_at, spans.ends_at
    from spans
    -- a zone that crosses the date line leaves a day out
    where spans.starts_at < spans.ends_at
    order by spans.period;
end
$$;
comment on function report._periods is 'Every period that a window touches';

create or replace function report._cut(p_question report._question) returns report._question
language plpgsql stable
as $$
-- The whole days of the tenant's zone that may be read from rollups; the rest are edges, read raw.
declare
    q report._question := p_question;
    last_instant timestamptz := least(q.until, q.through);
begin
    q.first_day := null;
    q.end_day := null;
    q.whole_from := null;
    q.whole_until := null;
    q.left_until := q.until;
    q.right_since := null;
    if q.reads = 'raw' or last_instant <= q.since then
        return q;
    end if;
    q.first_day := (q.since at time zone q.tenant_zone)::date;
    q.whole_from := report._day_start(q.first_day, q.tenant_zone);
    if q.whole_from < q.since then
        q.first_day := q.first_day + 1;
        q.whole_from := report._day_start(q.first_day, q.tenant_zone);
    end if;
    q.end_day := (last_instant at time zone q.tenant_zone)::date;
    q.whole_until := report._day_start(q.end_day, q.tenant_zone);
    if q.end_day <= q.first_day then
        q.first_day := null;
        q.end_day := null;
        q.whole_from := null;
        q.whole_until := null;
        return q;
    end if;
    -- An empty edge is none: the planner then leaves its scan out.
    q.left_until := nullif(q.whole_from, q.since);
    q.right_since := nullif(q.whole_until, q.until);
    return q;
end
$$;

create or replace function report._has_edges(p_question report._question) returns boolean
language sql immutable parallel safe
as $$
    select p_question.left_until is not null or p_question.right_since is not null
$$;
comment on function report._has_edges is 'Whether a window has more than whole days; many have not, and need no plan for the rest';

create or replace function report._previous(p_question report._question) returns report._question
language plpgsql stable
as $$
-- The same about the equally long period before. In seconds: a day is not always 24 hours.
declare
    q report._question := p_question;
    length interval := make_interval(secs => extract(epoch from q.until - q.since)::double precision);
begin
    q.until := q.since;
    q.since := q.since - length;
    return report._cut(q);
end
$$;

create or replace function report._is_complete(p_question report._question, p_end timestamptz) returns boolean
language sql stable
as $$
    select
        least(p_end, p_question.until) <= p_question.edges_as_of
        and (
            p_question.first_day is null
            or least(p_end, p_question.whole_until) <= p_question.days_as_of
        )
$$;
comment on function report._is_complete is 'Whether all that happened up to an end is in the answer';

create or replace function report._source(p_question report._question) returns text
language sql stable
as $$
    select case
        when p_question.first_day is null then 'raw'
        when p_question.whole_from = p_question.since and p_question.whole_until = p_question.until then 'rollup'
        else 'mixed'
    end
$$;
