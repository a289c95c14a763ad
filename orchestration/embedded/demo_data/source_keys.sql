-- Keys and indexes of the tables in %(tables)s of the schema %(schema)s, in the order in which
-- they have to be dropped (foreign keys first); created again in the reverse order they end
-- up as they were. A key that tables outside the list refer to stays in place.
with listed as (
    select
        c.oid,
        format('%%I', c.relname) as name
    from pg_class as c
    where
        c.relnamespace = %(schema)s::regnamespace
        and c.relname = any(%(tables)s)
),

keys as (
    select
        case k.contype when 'f' then 1 else 2 end as step,
        format('alter table %%s drop constraint %%I', t.name, k.conname) as drop_it,
        format(
            'alter table %%s add constraint %%I %%s', t.name, k.conname, pg_get_constraintdef(k.oid)
        ) as create_it
    from pg_constraint as k
    inner join listed as t on k.conrelid = t.oid
    where
        k.contype in ('f', 'u', 'p')
        and not exists (
            select 1
            from pg_constraint as f
            where
                f.contype = 'f'
                and f.confrelid = k.conrelid
                and f.conrelid not in (select l.oid from listed as l)
        )
),

plain_indexes as (
    select
        3 as step,
        format('drop index %%I', i.relname) as drop_it,
        pg_get_indexdef(x.indexrelid) as create_it
    from pg_index as x
    inner join listed as t on x.indrelid = t.oid
    inner join pg_class as i on x.indexrelid = i.oid
    where not exists (select 1 from pg_constraint as k where k.conindid = x.indexrelid)
)

select drop_it, create_it from (
    select * from keys
    union all
    select * from plain_indexes
) as everything
order by step, drop_it
