-- Shapes of the answers, and of a question once it has been checked.
--
-- The answers have types of their own because an argument and a column of a result may not share a
-- name. Views of analysts may stand on them: they are made once and stay.
do $$
begin
    if to_regtype('report.series_point') is null then
        create type report.series_point as (
            bucket timestamptz,
            value double precision,
            count bigint,
            complete boolean,
            source text
        );
        comment on type report.series_point is 'A period of a series. count: the events (of a rate: the denominator) under an average; NULL for what is a count itself';
    end if;
    if to_regtype('report.answer') is null then
        create type report.answer as (
            value double precision,
            count bigint,
            complete boolean,
            source text
        );
    end if;
    if to_regtype('report.summary_value') is null then
        create type report.summary_value as (
            dimension text,
            id text,
            name text,
            metric text,
            value double precision,
            previous_value double precision,
            complete boolean
        );
    end if;
    if to_regtype('report.bot_answer') is null then
        create type report.bot_answer as (
            bot_resolutions_count bigint,
            bot_handoffs_count bigint,
            previous_bot_resolutions_count bigint,
            previous_bot_handoffs_count bigint,
            complete boolean,
            source text
        );
    end if;
    if to_regtype('report.bot_rates') is null then
        create type report.bot_rates as (
            conversation_count bigint,
            message_count bigint,
            resolved_conversations bigint,
            handoff_conversations bigint,
            resolved_of_conversations bigint,
            handed_off_of_conversations bigint,
            resolution_rate numeric,
            handoff_rate numeric,
            resolution_rate_truncated integer,
            handoff_rate_truncated integer,
            complete boolean,
            source text
        );
        comment on type report.bot_rates is 'conversation_count: began in the window in a bot''s inbox; of these so many were resolved or handed off, and the rates are exact percents of them, together never above 100. resolved_conversations and handoff_conversations are those of any inbox and age; the truncated rates are the application''s integers of them (29 of 100 is 28), which may pass 100';
    end if;
    if to_regtype('report.difference') is null then
        create type report.difference as (
            date date,
            dimension text,
            id text,
            raw double precision,
            rollup double precision
        );
    end if;
    if to_regtype('report.bot_diagnosis') is null then
        create type report.bot_diagnosis as (
            bot_conversations bigint,
            handoff_conversations bigint,
            resolved_conversations bigint,
            both_conversations bigint,
            before_resolution_rate integer,
            before_handoff_rate integer,
            before_sum integer,
            after_resolution_rate integer,
            after_handoff_rate integer,
            after_sum integer,
            samples jsonb
        );
        comment on type report.bot_diagnosis is 'Rates (truncated percent) before and after "a handoff wins"; NULL without a conversation in a bot''s inbox';
    end if;
    if to_regtype('report.tenant_freshness') is null then
        create type report.tenant_freshness as (
            family text,
            tenant_id text,
            timezone text,
            complete_through timestamptz,
            pending bigint,
            staleness_minutes double precision,
            problem text
        );
    end if;
    if to_regtype('report.drilldown_row') is null then
        create type report.drilldown_row as (
            total_count bigint,
            conversation_id bigint,
            event_id bigint,
            occurred_at timestamptz,
            value double precision
        );
    end if;
end
$$;

-- Private: only functions of ours depend on it, and they are created anew at every deploy.
drop type if exists report._question cascade;
create type report._question as (
    family text,
    topic text,
    metrics text[],
    tenant_id text,
    account_id integer,
    dimension text,
    entity text,
    business_hours boolean,
    unit text,
    zone text,
    tenant_zone text,
    reads text,
    through timestamptz,
    days_as_of timestamptz,
    edges_as_of timestamptz,
    since timestamptz,
    until timestamptz,
    first_day date,
    end_day date,
    whole_from timestamptz,
    whole_until timestamptz,
    left_until timestamptz,
    right_since timestamptz
);
comment on type report._question is 'A checked question: metrics of one topic, one dimension (entity NULL: each of them), a window cut into whole days of the tenant''s zone (whole_from, whole_until) and edges: [since, left_until) and [right_since, until), NULL where there is none';
