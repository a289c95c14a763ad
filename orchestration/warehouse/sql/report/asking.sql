-- Checking a question: who asks about what, where the answer is read from, how the window is cut.
set check_function_bodies = off;

drop function if exists report._tenant(text, text);
create function report._tenant(
    p_family text,
    p_tenant_id text,
    out account_id integer,
    out zone text,
    out problem text,
    out reads_raw boolean,
    out complete_through timestamptz,
    out is_pending boolean
)
language plpgsql stable
as $$
declare
    is_known boolean;
    dated_zone text;
begin
    if p_family = 'support' then
        select true, tenants.account_id, tenants.timezone, tenants.problem
        into is_known, account_id, zone, problem
        from visible.stg_support__tenants as tenants
        where tenants.account_id = case when p_tenant_id ~ '^[1-9][0-9]{0,8}$' then p_tenant_id::integer end;
    else
        select true, ops.canonical_timezone(tenants.timezone) into is_known, zone
        from visible.stg_outreach__tenants as tenants
        where tenants.tenant_id = p_tenant_id;
    end if;
    if is_known is null then
        perform report._refuse(format('tenant %s not found', report._shown(p_tenant_id)));
    end if;

    select coalesce(bool_or(setting.read_source = 'raw'), false) into reads_raw
    from visible.tenant_setting as setting
    where setting.family = p_family and setting.tenant_id = p_tenant_id;

    select dated.timezone into dated_zone
    from visible.tenant_zone as dated
    where dated.family = p_family and dated.tenant_id = p_tenant_id;
    if problem is null and ops.canonical_timezone(dated_zone) is distinct from zone then
        problem := 'its rollups are not dated by its time zone yet';
    end if;

    -- As ops.tenant_status says it, for one tenant.
    select case when bool_and(watermark.captured_at is not null) then min(watermark.captured_at) end
    into complete_through
    from ops.capture_source as source
    left join ops.watermark
        on source.family = watermark.family and source.source_table = watermark.source_table
    where source.family = p_family;
    -- A backfill does again what has been done: nothing is missing meanwhile.
    select least(complete_through, min(pending.noted_at)), count(*) > 0
    into complete_through, is_pending
    from visible.pending
    where
        pending.family = p_family
        and pending.tenant_id = p_tenant_id
        and pending.reason <> 'command-line backfill';
end
$$;
comment on function report._tenant is 'A tenant and the state of its rollups; problem: why they cannot be read';

create or replace function report._ask(
    p_family text,
    p_topic text,
    p_metrics text[],
    p_tenant_id text,
    p_since timestamptz,
    p_until timestamptz,
    p_dimension text,
    p_id text,
    p_unit text,
    p_zone text,
    p_business_hours boolean,
    p_source text
) returns report._question
language plpgsql stable
as $$
-- Checks a question, chooses where the answer is read from, and cuts the window.
declare
    q report._question;
    tenant record;
    why_not text;
begin
    perform report._require_family(p_family);
    perform report._require_one_of('source', p_source, array['auto', 'raw', 'rollup']);
    tenant := report._tenant(p_family, p_tenant_id);
    q.family := p_family;
    q.topic := p_topic;
    q.metrics := p_metrics;
    q.tenant_id := p_tenant_id;
    q.account_id := tenant.account_id;
    q.dimension := coalesce(p_dimension, (report._dimensions(p_family))[1]);
    perform report._require_one_of('dimension', q.dimension, report._dimensions(p_family));
    q.entity := p_id;
    q.business_hours := coalesce(p_business_hours, false);
    q.unit := p_unit;
    q.tenant_zone := coalesce(tenant.zone, report._zone('UTC'));
    q.zone := case when p_zone is null then q.tenant_zone else report._zone(p_zone) end;
    q.since := p_since;
    q.until := p_until;
    if not coalesce(isfinite(p_since) and isfinite(p_until), false) then
        perform report._refuse('since and until are needed: two instants, such as 2025-03-01 00:00+00');
    end if;
    if p_since >= p_until then
        perform report._refuse(format('since %s is not before until %s', p_since, p_until));
    end if;

    why_not := case
        when tenant.problem is not null then tenant.problem
        when q.dimension = 'label' then 'labels have no rollups'
        when q.unit = 'hour' then 'rollups are daily'
        when q.unit is not null and q.zone <> q.tenant_zone
            then format('its rollups are dated by %s, not %s', q.tenant_zone, q.zone)
    end;
    if p_source = 'rollup' and why_not is not null then
        perform report._refuse(
            format('source "rollup" cannot answer this of tenant %s: %s; use auto or raw',
                report._shown(p_tenant_id), why_not)
        );
    end if;
    q.reads := case
        when p_source = 'rollup' then 'rollup'
        when
            p_source = 'auto'
            and why_not is null
            and not tenant.reads_raw
            and not tenant.is_pending
            and tenant.complete_through is not null
            and report._is_settled(q.family, q.topic, q.dimension)
            then 'rollup'
        else 'raw'
    end;
    q.through := case
        when p_source = 'rollup' then 'infinity'
        -- what came in behind the last look at the source lies within the overlap
        else tenant.complete_through - make_interval(secs => ops.config_number('capture_overlap_seconds'))
    end;
    q.days_as_of := case
        when tenant.is_pending or tenant.complete_through is null then '-infinity'
        else tenant.complete_through
    end;
    -- Outreach reads its ledger where it reads no rollup: as of the last refresh too.
    q.edges_as_of := case when q.family = 'outreach' then q.days_as_of else now() end;
    return report._cut(q);
end
$$;
comment on function report._ask is 'The one place where a question is checked and its source chosen';

create or replace function report._is_settled(p_family text, p_topic text, p_dimension text) returns boolean
language sql immutable parallel safe
as $$
    -- Where rollups give the same number as the source at any time after the refresh. A team or a
    -- label moves with its conversation; conversations and messages are deleted in the application
    -- without a trace, events of reports are not.
    select p_family = 'outreach'
        or (p_topic in ('events', 'bots') and p_dimension in ('account', 'agent', 'inbox'))
$$;

create or replace function report._ask_one(
    p_tenant_id text,
    p_metric text,
    p_since timestamptz,
    p_until timestamptz,
    p_dimension text,
    p_id text,
    p_unit text,
    p_zone text,
    p_business_hours boolean,
    p_source text
) returns report._question
language plpgsql stable
as $$
-- A question about one metric of one existing entity.
declare
    q report._question;
    metric record := report._metric(p_metric);
begin
    q := report._ask(
        metric.family, metric.topic, array[p_metric], p_tenant_id, p_since, p_until,
        p_dimension, p_id, p_unit, p_zone, p_business_hours, p_source
    );
    q.entity := report._require_entity(q, p_id);
    return q;
end
$$;

create or replace function report._require_entity(p_question report._question, p_id text) returns text
language plpgsql stable
as $$
declare
    found text;
begin
    if p_question.dimension in ('account', 'tenant') then
        if p_id is null or p_id = p_question.tenant_id then
            return p_question.tenant_id;
        end if;
    elsif p_id is null then
        perform report._refuse(format('dimension %s needs an id', p_question.dimension));
    else
        select entities.id into found from report._entities(p_question, p_id) as entities;
    end if;
    if found is null then
        perform report._refuse(format('%s %s not found', p_question.dimension, report._shown(p_id)));
    end if;
    return found;
end
$$;

drop function if exists report._entities(report._question, text);
create function report._entities(p_question report._question, p_id text default null)
returns table (id text, name text)
language plpgsql stable
as $$
declare
    number bigint := case when p_id ~ '^[0-9]{1,18}$' then p_id::bigint end;
begin
    if p_question.dimension = 'account' then
        return query
        select tenants.tenant_id, tenants.tenant_name::text
        from visible.stg_support__tenants as tenants
        where tenants.account_id = p_question.account_id and (p_id is null or tenants.tenant_id = p_id);
    elsif p_question.dimension = 'agent' then
        return query
        select agents.user_id::text, agents.agent_name::text
        from visible.stg_support__agents as agents
        where agents.account_id = p_question.account_id and (p_id is null or agents.user_id = number)
        order by agents.user_id;
    elsif p_question.dimension = 'inbox' then
        return query
        select inboxes.inbox_id::text, inboxes.inbox_name::text
        from visible.stg_support__inboxes as inboxes
        where inboxes.account_id = p_question.account_id and (p_id is null or inboxes.inbox_id = number)
        order by inboxes.inbox_id;
    elsif p_question.dimension = 'team' then
        return query
        select teams.team_id::text, teams.team_name::text
        from visible.stg_support__teams as teams
        where teams.account_id = p_question.account_id and (p_id is null or teams.team_id = number)
        order by teams.team_id;
    elsif p_question.dimension = 'label' then
        return query
        select labels.label_id::text, labels.label_title::text
        from visible.stg_support__labels as labels
        where labels.account_id = p_question.account_id and (p_id is null or labels.label_id = number)
        order by labels.label_id;
    elsif p_question.dimension = 'tenant' then
        return query
        select tenants.tenant_id::text, tenants.tenant_name::text
        from visible.stg_outreach__tenants as tenants
        where tenants.tenant_id = p_question.tenant_id and (p_id is null or tenants.tenant_id = p_id);
    elsif p_question.dimension = 'campaign' then
        return query
        select campaigns.campaign_id::text, campaigns.campaign_id::text
        from visible.stg_outreach__campaigns as campaigns
        where campaigns.tenant_id = p_question.tenant_id and (p_id is null or campaigns.campaign_id = p_id)
        order by 1;
    else
        return query
        select contacts.contact_id::text, contacts.contact_id::text
        from visible.stg_outreach__contacts as contacts
        where contacts.tenant_id = p_question.tenant_id and (p_id is null or contacts.contact_id = p_id)
        order by 1;
    end if;
end
$$;
comment on function report._entities is 'The existing members of a dimension (of one id)';
