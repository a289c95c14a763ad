-- What the last days of a tenant looked like, for people who look at an asset in Dagster.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

-- No ids of contacts or messages: Dagster would keep them for ever, erased or not.
create or replace function ops.recent_days(p_family text, p_tenant_ids text[], p_until date[], p_days integer)
returns table (tenant_id text, date date, numbers json)
language plpgsql stable
as $$
begin
    if p_family = 'outreach' then
        return query
        select
            daily.tenant_id,
            daily.date,
            json_build_object(
                'sends', daily.sends, 'delivered', daily.delivered, 'opens', daily.opens,
                'clicks', daily.clicks, 'bounces', daily.bounces, 'unsubscribes', daily.unsubscribes
            )
        from unnest(p_tenant_ids, p_until) as asked (tenant_id, until)
        inner join analytics.metrics_tenant_daily as daily
            on asked.tenant_id = daily.tenant_id and daily.date between asked.until - p_days + 1 and asked.until
        order by daily.tenant_id, daily.date;
    else
        return query
        select
            daily.tenant_id,
            daily.date,
            json_build_object(
                'conversations', daily.conversations_count, 'incoming', daily.incoming_messages_count,
                'outgoing', daily.outgoing_messages_count
            )
        from unnest(p_tenant_ids, p_until) as asked (tenant_id, until)
        inner join analytics.conversations_daily as daily
            on
                asked.tenant_id = daily.tenant_id
                and daily.dimension_type = 'account'
                and daily.dimension_id = daily.account_id
                and daily.date between asked.until - p_days + 1 and asked.until
        order by daily.tenant_id, daily.date;
    end if;
end
$$;
comment on function ops.recent_days is 'Headline numbers of tenants on the days up to a date of each: a few rows of the mart by tenant and day';
