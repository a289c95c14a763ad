-- Sessions of a refresh: their limits, and what a lost refresh has left behind.
-- Bodies may name views that dbt creates afterwards.
set check_function_bodies = off;

create or replace function ops.notice_lost_client() returns void
language plpgsql
as $$
begin
    -- A statement whose client was killed ends within a second, and its locks with it. Some
    -- platforms cannot look after a client while they work.
    perform set_config('client_connection_check_interval', '1s', false);
exception
    when invalid_parameter_value then null;
end
$$;

create or replace function ops.limit_session() returns void
language plpgsql
as $$
declare
    seconds integer := ops.config_number('network_timeout_seconds');
begin
    -- For dbt by itself; a session that rollups opens has these from its start. What somebody
    -- has set for a session stays.
    perform set_config(name, ops.config_number(name || '_seconds')::integer || 's', false)
    from unnest(array['lock_timeout', 'statement_timeout']) as limits (name)
    where current_setting(name) = '0' and ops.config_number(name || '_seconds') is not null;
    if seconds is not null then
        perform set_config('tcp_keepalives_idle', greatest(seconds / 2, 1)::text, false);
        perform set_config('tcp_keepalives_interval', greatest(seconds / 6, 1)::text, false);
        perform set_config('tcp_keepalives_count', '3', false);
        perform set_config('tcp_user_timeout', seconds || 's', false);
    end if;
end
$$;

create or replace function ops.join_refresh(p_default_refresh_id text) returns void
language plpgsql
as $$
begin
    -- What a refresh reads it finds by keys; the server's own default is meant for disks that turn.
    perform set_config('random_page_cost', '1.1', false)
    where current_setting('random_page_cost') = '4';
    if ops.current_refresh_id() is null then
        perform set_config('rollups.refresh_id', p_default_refresh_id, false);
        perform ops.limit_session();
        -- Shows that dbt by itself is at work: see ops.refresh.
        perform pg_advisory_lock_shared(hashtextextended('rollups refresh ' || p_default_refresh_id, 0));
    end if;
end
$$;
comment on function ops.join_refresh is 'Makes a session of dbt by itself one of its refresh; others are told theirs as they open';

create or replace function ops.require_driver() returns void
language plpgsql
as $$
begin
    -- Its driver's session holds the tenants: without it another refresh may be at work on them.
    if not ops.is_held('rollups refresh ' || ops.current_refresh_id()) and exists (
        select 1 from ops.refresh_log
        where refresh_id = ops.current_refresh_id() and event = 'started'
    ) then
        raise exception 'the session that drives this refresh has ended: its work is left to the next refresh';
    end if;
end
$$;
comment on function ops.require_driver is 'Raises when the session that began the current refresh is gone';

create or replace function ops.forget_lost_refreshes(p_family text) returns bigint
language sql
as $$
    -- A killed refresh cannot give its claims up itself. Its touched keys stay: they are healed.
    select count(ops.forget_claims(lost.refresh_id, p_family)::text)
    from (
        select refresh_id
        from ops.refresh
        where
            family = p_family
            and status = 'lost'
            and refresh_id in (select claim.refresh_id from ops.refresh_claim as claim where claim.family = p_family)
        offset 0
    ) as lost;
$$;
comment on function ops.forget_lost_refreshes is 'Deletes the claims of refreshes that were killed; returns how many refreshes';
