-- What can be asked for. Events and their metrics stand in the registry seed, outreach metrics are
-- the columns of its activity view: here is only where to find them.
set check_function_bodies = off;

create or replace function report._has_family(p_family text) returns boolean
language sql stable
as $$ select to_regclass(format('visible.stg_%s__tenants', p_family)) is not null $$;

create or replace function report._require_family(p_family text) returns void
language plpgsql stable
as $$
begin
    if not report._has_family(p_family) then
        perform report._refuse(format('the %s family is not in this database', p_family));
    end if;
end
$$;

drop function if exists report._conversation_metrics();
create function report._conversation_metrics()
returns table (metric text, topic text, direction text)
language sql immutable parallel safe
as $$
    values
        ('conversations_count', 'conversations', null),
        ('incoming_messages_count', 'messages', 'incoming'),
        ('outgoing_messages_count', 'messages', 'outgoing')
$$;
comment on function report._conversation_metrics is 'Metrics counted from conversations and messages: columns of conversations_daily';

drop function if exists report._support_metrics();
create function report._support_metrics()
returns table (metric text, topic text, kind text)
language sql stable
as $$
    select conversation.metric, conversation.topic, 'count'
    from report._conversation_metrics() as conversation
    union all
    select
        registry.report_metric,
        case registry.raw_count_strategy when 'events' then 'events' else 'bots' end,
        registry.payload
    from staging.metric_registry as registry
$$;

drop function if exists report._outreach_metrics();
create function report._outreach_metrics()
returns table (metric text, kind text, numerator text, denominator text)
language sql stable
as $$
    select attribute.attname::text, 'count', attribute.attname::text, null
    from pg_catalog.pg_attribute as attribute
    where
        attribute.attrelid = to_regclass('visible.outreach_activity_metrics')
        and attribute.attnum > 0
        and not attribute.attisdropped
        and attribute.atttypid in ('integer'::regtype, 'bigint'::regtype)
    union all
    select rates.rate, 'rate', rates.numerator, rates.denominator
    from intermediate.outreach_rates as rates
$$;

drop function if exists report._metric(text);
create function report._metric(
    p_metric text, out family text, out topic text, out kind text
)
language plpgsql stable
as $$
declare
    allowed text[] := '{}';
begin
    if report._has_family('support') then
        select 'support', found.topic, found.kind into family, topic, kind
        from report._support_metrics() as found where found.metric = p_metric;
        if family is not null then
            return;
        end if;
        allowed := allowed || array(select known.metric from report._support_metrics() as known order by 1);
    end if;
    if report._has_family('outreach') then
        select 'outreach', 'activities', found.kind into family, topic, kind
        from report._outreach_metrics() as found where found.metric = p_metric;
        if family is not null then
            return;
        end if;
        allowed := allowed || array(select known.metric from report._outreach_metrics() as known order by 1);
    end if;
    perform report._refuse(
        format('unknown metric %s: use %s', report._shown(p_metric), array_to_string(allowed, ', '))
    );
end
$$;
comment on function report._metric is 'Family, topic and kind (count, duration, rate) of a metric';

create or replace function report._refuse(p_message text) returns void
language plpgsql stable
as $$
begin
    raise exception using errcode = '22023', message = p_message;
end
$$;
comment on function report._refuse is 'Ends a question that cannot be answered';

create or replace function report._shown(p_value text) returns text
language sql immutable parallel safe
as $$ select case when p_value is null then 'NULL' else '"' || left(p_value, 80) || '"' end $$;

create or replace function report._require_one_of(p_what text, p_value text, p_allowed text[]) returns void
language plpgsql stable
as $$
begin
    if p_value is null or p_value <> all (p_allowed) then
        perform report._refuse(
            format('unknown %s %s: use %s', p_what, report._shown(p_value), array_to_string(p_allowed, ', '))
        );
    end if;
end
$$;

create or replace function report._zone(p_zone text) returns text
language plpgsql stable
as $$
declare
    canonical text := ops.canonical_timezone(p_zone);
begin
    if canonical is null then
        perform report._refuse(
            format('unknown time zone %s: use an IANA name, such as America/New_York', report._shown(p_zone))
        );
    end if;
    return canonical;
end
$$;

create or replace function report._dimensions(p_family text) returns text[]
language sql immutable parallel safe
as $$
    -- the first is the whole tenant
    select case p_family
        when 'support' then array['account', 'agent', 'inbox', 'team', 'label']
        when 'outreach' then array['tenant', 'campaign', 'contact']
    end
$$;
