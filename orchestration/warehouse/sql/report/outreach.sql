-- Sums of the outreach family: whole days from the marts, the rest from the counted activities.
set check_function_bodies = off;

drop function if exists report._outreach_sums(report._question, text[]);
create function report._outreach_sums(p_question report._question, p_columns text[])
returns table (entity text, period timestamp, sums jsonb)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
as $$
-- Names come from the catalogue (report._outreach_metrics) and from the lists below, never from a
-- question.
declare
    q report._question := p_question;
    mart text := case q.dimension
        when 'tenant' then 'metrics_tenant_daily'
        when 'campaign' then 'metrics_campaign_daily'
        else 'metrics_contact_hourly'
    end;
    member text := case q.dimension
        when 'tenant' then 'tenant_id'
        when 'campaign' then 'campaign_id'
        else 'contact_id'
    end;
    columns_list text;
    sums_list text;
begin
    select
        string_agg(format('%I', name), ', '),
        string_agg(format('%L, coalesce(sum(%I), 0)', name, name), ', ')
    into columns_list, sums_list
    from unnest(p_columns) as name;

    return query execute format(
        $q$
            select parts.entity, parts.period, jsonb_build_object(%4$s)
            from (
                select days.%2$I as entity, report._period_of_day(days.date, $1) as period, %3$s
                from analytics.%1$I as days
                where
                    days.tenant_id = $3
                    and ($4::text is null or days.%2$I = $4)
                    and days.date >= $5
                    and days.date < $6
                union all
                select activities.%2$I, report._period(activities.occurred_at, $1, $2), %3$s
                from visible.outreach_activity_metrics as activities
                where
                    activities.tenant_id = $3
                    and ($4::text is null or activities.%2$I = $4)
                    and activities.date >= ($7 at time zone $11)::date
                    and activities.date <= ($9 at time zone $11)::date
                    and activities.occurred_at >= $7
                    and activities.occurred_at < $9
                union all
                select activities.%2$I, report._period(activities.occurred_at, $1, $2), %3$s
                from visible.outreach_activity_metrics as activities
                where
                    activities.tenant_id = $3
                    and ($4::text is null or activities.%2$I = $4)
                    and activities.date >= ($10 at time zone $11)::date
                    and activities.date <= ($8 at time zone $11)::date
                    and activities.occurred_at >= $10
                    and activities.occurred_at < $8
            ) as parts
            group by parts.entity, parts.period
        $q$,
        mart, member, columns_list, sums_list
    )
    using
        q.unit, q.zone, q.tenant_id, q.entity, q.first_day, q.end_day, q.since, q.until,
        q.left_until, q.right_since, q.tenant_zone;
end
$$;

drop function if exists report._outreach_values(report._question);
create function report._outreach_values(p_question report._question)
returns table (metric text, entity text, period timestamp, value double precision, count bigint)
language plpgsql stable
as $$
declare
    wanted text[];
begin
    select array_agg(distinct part.name) into wanted
    from report._outreach_metrics() as metrics
    cross join lateral (values (metrics.numerator), (metrics.denominator)) as part (name)
    where metrics.metric = any (p_question.metrics) and part.name is not null;

    return query
    select
        metrics.metric,
        totals.entity,
        totals.period,
        case
            when metrics.denominator is null then (totals.sums ->> metrics.numerator)::double precision
            -- ten places, as in the rpt_ views
            else (
                (totals.sums ->> metrics.numerator)::numeric
                / nullif((totals.sums ->> metrics.denominator)::numeric, 0)
            )::numeric(20, 10)::double precision
        end,
        (totals.sums ->> metrics.denominator)::bigint
    from report._outreach_sums(p_question, wanted) as totals
    cross join report._outreach_metrics() as metrics
    where metrics.metric = any (p_question.metrics);
end
$$;
comment on function report._outreach_values is 'Counts of activities, and rates as ratios of their sums';
