-- Compares recounted tables with the marts of the same name.
--
-- Needs, in pg_temp: recounted_model(place, model, key) with the key columns after tenant_id, a
-- table per model with the columns to compare (tenant_id and date among them), and
-- asked(date_from, date_to) and asked_tenant(tenant_id) as made by the recount.
--
-- Leaves pg_temp.verify_difference, one row per differing key and metric; a whole row that is
-- missing from the mart (actual is null), surplus (expected is null) or there more than once is one
-- row with metric '(row)' and the row's values as JSON. And pg_temp.verify_summary, a row a model.

create temp table verify_difference (
    model text,
    tenant_id text,
    date date,
    key jsonb,
    metric text,
    expected text,
    actual text
) on commit drop;

create temp table verify_summary (
    model text,
    rows_expected bigint,
    rows_actual bigint,
    differing_keys bigint
) on commit drop;

do $compare$
declare
    bounds asked;
    this record;
    columns text;
    typed_columns text;
    key_columns text;
    key_object text;
    in_scope text;
    expected_rows text;
    actual_rows text;
    rows_expected bigint;
    rows_actual bigint;
begin
    select * into strict bounds from asked;
    in_scope := concat_ws(
        ' and ', 'true',
        'date >= ' || quote_literal(bounds.date_from),
        'date <= ' || quote_literal(bounds.date_to),
        case
            when exists (select from asked_tenant)
                then 'tenant_id in (select asked_tenant.tenant_id from asked_tenant)'
        end
    );

    for this in select model, key from recounted_model order by place loop
        select
            string_agg(quote_ident(attname), ', ' order by attnum),
            string_agg(
                format('%1$I::%2$s as %1$I', attname, format_type(atttypid, atttypmod)), ', '
                order by attnum
            )
        into strict columns, typed_columns
        from pg_attribute
        where attrelid = format('pg_temp.%I', this.model)::regclass
            and attnum > 0 and not attisdropped;

        select
            string_agg(quote_ident(name), ', ' order by place),
            string_agg(format('%L, %I', name, name), ', ' order by place)
        into strict key_columns, key_object
        from unnest(this.key) with ordinality as listed (name, place);

        expected_rows := format(
            '(select %s from pg_temp.%I where %s)', columns, this.model, in_scope
        );
        actual_rows := format(
            '(select %s from analytics.%I where %s)', typed_columns, this.model, in_scope
        );
        execute format('select count(*) from %s as expected_row', expected_rows)
        into strict rows_expected;
        execute format('select count(*) from %s as actual_row', actual_rows)
        into strict rows_actual;

        execute format(
            $sql$
            insert into verify_difference
            with pair as (
                select
                    tenant_id,
                    coalesce(expected_row.date, actual_row.date) as date,
                    jsonb_build_object(%1$s) as key,
                    to_jsonb(expected_row) as expected,
                    to_jsonb(actual_row) as actual
                from %4$s as expected_row
                full join %5$s as actual_row using (tenant_id, %2$s)
                where expected_row is distinct from actual_row
            )

            select %3$L, tenant_id, date, key, metric.name, metric.value, actual ->> metric.name
            from pair
            cross join lateral jsonb_each_text(expected) as metric (name, value)
            where actual is not null and metric.value is distinct from (actual ->> metric.name)
            union all
            select %3$L, tenant_id, date, key, '(row)', expected::text, actual::text
            from pair
            where expected is null or actual is null
            $sql$,
            key_object, key_columns, this.model, expected_rows, actual_rows
        );

        execute format(
            $sql$
            insert into verify_difference
            select
                %3$L, tenant_id, min(date), jsonb_build_object(%1$s), '(row)', 'once',
                count(*) || ' times'
            from %4$s as actual_row
            group by tenant_id, %2$s
            having count(*) > 1
            $sql$,
            key_object, key_columns, this.model, actual_rows
        );

        insert into verify_summary
        select this.model, rows_expected, rows_actual, count(distinct (tenant_id, key))
        from verify_difference
        where model = this.model;
    end loop;
end
$compare$;
