-- What the policies of row-level security ask. Names in views and in bodies after RETURN are bound
-- when they are made: no search_path of whoever asks gives them another meaning.

create or replace function visible.sees_all_tenants() returns boolean
language sql stable parallel safe
return coalesce(pg_catalog.pg_has_role(pg_catalog.to_regrole('rollups_reader'), 'usage'), false)
or coalesce(pg_catalog.pg_has_role(pg_catalog.to_regrole('rollups_writer'), 'usage'), false)
or pg_catalog.pg_has_role(
    (select nspowner from pg_catalog.pg_namespace where nspname = 'visible'), 'usage'
);
comment on function visible.sees_all_tenants is 'Whether the present role is (or has the rights of) reader, writer or owner';

create or replace view visible.my_tenants with (security_barrier = true) as
select
    granted.family,
    granted.tenant_id
from ops.tenant_access as granted
where
    granted.tenant_id is not null
    and pg_catalog.pg_has_role(pg_catalog.to_regrole(pg_catalog.quote_ident(granted.role_name)), 'usage')
union
select
    granted.family,
    known.tenant_id
from ops.tenant_access as granted
inner join ops.tenant_zone as known
    on granted.family = known.family
where
    granted.tenant_id is null
    and pg_catalog.pg_has_role(pg_catalog.to_regrole(pg_catalog.quote_ident(granted.role_name)), 'usage');
comment on view visible.my_tenants is 'Tenants that the present role has been granted, by itself or through a role whose rights it has';
