-- Everything in our schemas that rights are given on, and every right of anybody but its owner on
-- it; an object without such a right has one row. Rights on single columns stand by themselves.
with schemas as (
    select
        oid,
        nspname,
        nspowner,
        nspacl
    from pg_catalog.pg_namespace
    where nspname = any (%s)
),

objects as (
    select
        'schema' as kind,
        nspname as schema,
        nspname::text as name,
        nspowner as owner,
        coalesce(nspacl, acldefault('n', nspowner)) as acl
    from schemas
    union all
    select
        case when relkind = 'S' then 'sequence' when relkind in ('v', 'm') then 'view' else 'table' end,
        schemas.nspname,
        relname::text,
        relowner,
        coalesce(relacl, acldefault(case when relkind = 'S' then 's' else 'r' end::"char", relowner))
    from pg_catalog.pg_class
    inner join schemas on relnamespace = schemas.oid
    where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and not relispartition
    union all
    select
        case when prorettype = 'pg_catalog.trigger'::regtype then 'trigger' else 'function' end,
        schemas.nspname,
        proname::text || '(' || oidvectortypes(proargtypes) || ')',
        proowner,
        coalesce(proacl, acldefault('f', proowner))
    from pg_catalog.pg_proc
    inner join schemas on pronamespace = schemas.oid
    union all
    select
        'column',
        schemas.nspname,
        relname || '.' || attname,
        relowner,
        attacl
    from pg_catalog.pg_attribute
    inner join pg_catalog.pg_class on attrelid = pg_class.oid
    inner join schemas on relnamespace = schemas.oid
    where attacl is not null
)

select distinct
    objects.kind,
    objects.schema,
    objects.name,
    pg_get_userbyid(objects.owner) as owner,
    case when rights.grantee = 0 then 'public' else pg_get_userbyid(rights.grantee) end as grantee,
    rights.privilege_type
from objects
left join lateral aclexplode(objects.acl) as rights
    on rights.grantee <> objects.owner
