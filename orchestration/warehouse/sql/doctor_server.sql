-- What the server and our role are.
select
    current_setting('server_version') as server_version,
    current_setting('server_encoding') as server_encoding,
    current_user::text as role_name,
    current_database()::text as database_name,
    role.rolsuper as is_superuser,
    has_database_privilege(current_database(), 'create') as may_create,
    current_setting('transaction_read_only') = 'on' as is_read_only,
    pg_is_in_recovery() as is_standby,
    role.rolsuper or pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all_sessions,
    clock_timestamp() as server_time,
    (
        select array_agg(schema_name order by schema_name)
        from unnest(array['ops', 'staging', 'intermediate', 'analytics', 'report']) as schema_name
        where
            to_regnamespace(schema_name) is not null
            and not has_schema_privilege(to_regnamespace(schema_name), 'create')
    ) as foreign_schemas,
    (
        select extract(epoch from clock_timestamp() - min(xact_start))
        from pg_catalog.pg_stat_activity
        where
            datname = current_database()
            and pid <> pg_backend_pid()
            and backend_type is distinct from 'autovacuum worker'
    )::float8 as oldest_transaction_seconds,
    (
        select extract(epoch from clock_timestamp() - min(prepared))
        from pg_catalog.pg_prepared_xacts
        where database = current_database()
    )::float8 as oldest_prepared_seconds
from pg_catalog.pg_roles as role
where role.rolname = current_user
