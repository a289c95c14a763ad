-- Who may see which tenant, and a place for Dagster's storage that rights can be given on.

create schema if not exists visible;
comment on schema visible is 'Private tables and views, cut down to the tenants that whoever asks may see';

create schema if not exists dagster;
comment on schema dagster is 'Dagster''s own tables';

create table ops.tenant_access (
    role_name text not null,
    family text not null,
    tenant_id text,
    granted_at timestamptz not null default now(),
    granted_by text not null default session_user,
    unique nulls not distinct (role_name, family, tenant_id)
);
comment on table ops.tenant_access is 'Tenants that a tenant reader may see (NULL: every tenant of the family); written by rollups access';
