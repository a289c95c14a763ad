{#-
    The incremental strategy of every model: bring the rows in scope to what the query says, and
    write only rows that differ. A second run writes nothing; rows whose source is gone are deleted.

    Model configuration:
      unique_key       the grain
      subject          ledgers only: what the rows belong to - 'message', 'campaign', 'optouts',
                       'conversation'
      subject_column   the column that names it (optouts: none, the subject is the tenant)
      copy_column      ledgers only: what copies of one source row have in common
      layer            ledgers only: the layer under which changed keys are noted as touched
      touched_columns  ledgers only: key columns to note, besides tenant_id and date
      changes          ledgers: table to write to what came and went; rollups: to add up from
      change_columns   ledgers with changes: the columns of a change
      scope_keys       rollups only: key columns besides tenant_id and date
      scope_layers     rollups only: the layers that touch it
-#}
{% macro get_incremental_replace_scope_sql(arg_dict) -%}
    {%- if nothing_is_stored(arg_dict['target_relation']) -%}
        {{ first_load_sql(arg_dict) }}
    {%- elif config.get('subject') -%}
        {{ replace_subjects_sql(arg_dict) }}
    {%- else -%}
        {{ replace_keys_sql(arg_dict) }}
    {%- endif -%}
{%- endmacro %}


{#- Is this all history of tenants of which the model has nothing yet? Then there is nothing to compare. -#}
{% macro nothing_is_stored(target) -%}
    {%- set scope = source('ops', family_of(model) ~ '_scope') -%}
    {%- set asks_for_all %}
        select coalesce(bool_and(lower_inf(dates) and upper_inf(dates)), false) from {{ scope }}
    {%- endset -%}
    {%- set is_stored %}
        select exists (
            select 1 from {{ scope }} as scope
            inner join {{ target }} as stored on scope.tenant_id = stored.tenant_id
        )
    {%- endset -%}
    {{ return(
        run_query(asks_for_all).columns[0].values()[0]
        and not run_query(is_stored).columns[0].values()[0]
    ) }}
{%- endmacro %}


{#- All rows are new, and all within the scope: no change is left for others to add up. -#}
{% macro first_load_sql(arg_dict) -%}
    {%- set new_rows = arg_dict['temp_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    analyze {{ new_rows }};
    {%- if config.get('changes') and not config.get('subject') %}
    {{ note_changes_applied_sql() }};
    {%- endif %}
    insert into {{ arg_dict['target_relation'] }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }}
    from {{ new_rows }}
    order by {{ arg_dict['unique_key'] | join(', ') }};
    {{ count_rows_sql(new_rows, added='count(*)', removed='0') }};
    select ops.log_model_rows('{{ this.identifier }}', count(*), 0, 0) from {{ new_rows }}
{%- endmacro %}


{#- Rollups: existing rows in scope against recomputed rows; everything in scope may be written. -#}
{% macro replace_keys_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set family = family_of(model) -%}
    {%- set changes = config.get('changes') -%}
    analyze {{ arg_dict['temp_relation'] }};
    create temporary table scope_diff on commit drop as
    with existing as materialized (
        {{ rows_in_scope(family, target, config.require('scope_keys'), config.require('scope_layers'), changes) }}
    )
    {{ diff_sql(arg_dict) }};
    {%- if changes %}
    {{ note_changes_applied_sql() }};
    {%- endif %}
    {{ apply_diff_sql(arg_dict) }}
{%- endmacro %}


{#-
    Ledgers: the query gives all rows of the subjects in scope. A subject that was claimed is
    written whole; one that is here only because of the dates asked for is written on these dates
    alone, and what differs on its other dates is noted as pending.
-#}
{% macro replace_subjects_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set source_rows = arg_dict['temp_relation'] -%}
    {%- set subject = config.require('subject') -%}
    {%- set column = config.get('subject_column') -%}
    {%- set family = family_of(model) -%}
    {%- set subjects = ref(family ~ '_scope_subjects') -%}
    {%- set scope = source('ops', family ~ '_scope') -%}
    {#- A row whose key does not name its subject may come from a subject that is not in scope. -#}
    {%- set may_move = column and column not in arg_dict['unique_key'] -%}
    {%- set noted_columns = ['tenant_id', 'date'] + config.require('touched_columns') -%}
    {%- set joins_subject %}
        subjects.tenant_id = rows_of.tenant_id
        {%- if column %} and subjects.key = rows_of.{{ column }}{% endif %}
    {%- endset -%}
    -- Without a guess at their number the stored rows would be searched one way or the other.
    analyze {{ source_rows }};
    create temporary table scope_diff on commit drop as
    with subjects as (
        select * from {{ subjects }}
        where refresh_id = ops.current_refresh_id() and grain = '{{ subject }}'
    ),
    -- Stored rows are read on their own, for they may be on other nodes than the rest.
    existing as materialized (
        select rows_of.*
        from subjects
        inner join {{ target }} as rows_of on {{ joins_subject }}
        union all
        select rows_of.*
        from {{ scope }} as scope
        inner join {{ target }} as rows_of
            on
                not isempty(scope.dates)
                and scope.tenant_id = rows_of.tenant_id
                and rows_of.date >= scope.date_from
                and rows_of.date < scope.date_to
                and scope.dates @> rows_of.date
        where not exists (select 1 from subjects where {{ joins_subject }})
        {%- if may_move %}
        union all
        select rows_of.*
        from {{ source_rows }} as moved
        inner join {{ target }} as rows_of on {{ same_key('moved', 'rows_of', arg_dict['unique_key']) }}
        inner join {{ scope }} as scope on rows_of.tenant_id = scope.tenant_id
        where
            not scope.dates @> rows_of.date
            and not exists (select 1 from subjects where {{ joins_subject }})
        {%- endif %}
    ),
    diff as (
        {{ diff_sql(arg_dict, [column] if column else []) }}
    )
    select
        rows_of.*,
        coalesce(subjects.whole, false) as whole,
        subjects.tenant_id is null as is_gone,
        rows_of.old_date is not null
        and (coalesce(subjects.whole, false) or scope.dates @> rows_of.old_date) as may_delete,
        rows_of.new_date is not null
        and (coalesce(subjects.whole, false) or scope.dates @> rows_of.new_date) as may_insert,
        not (
            coalesce(scope.dates @> rows_of.old_date, true)
            and coalesce(scope.dates @> rows_of.new_date, true)
        ) as is_outside
    from diff as rows_of
    inner join {{ scope }} as scope
        on rows_of.tenant_id = scope.tenant_id
    left join subjects on {{ joins_subject }};
    analyze scope_diff;

    select ops.note_pending(
        '{{ family }}', array_agg(tenant_id), '{{ subject }}', array_agg({{ column or "''::text" }}),
        'differs outside the dates of a backfill'
    )
    from scope_diff
    where
        (old_date is not null and not may_delete)
        or (new_date is not null and not may_insert)
        or (is_gone and {{ 'true' if column else 'false' }})
        {%- if subject == 'campaign' %}
        -- A new status shows in the campaign's later days too.
        or not whole
        {%- endif %};

    {%- if config.get('copy_column') %}
    {{ note_copies_left_behind(arg_dict) }};
    {%- endif %}

    -- A row that moved here from a date we must not write stays there until its subject's turn.
    update scope_diff set may_insert = false
    where may_insert and old_date is not null and not may_delete;
    {%- if 'is_source_gone' in arg_dict['dest_columns'] | map(attribute='name') %}
    -- One that only this ledger knows moves in one step or not at all.
    update scope_diff as diff set may_delete = false
    from {{ source_rows }} as new_rows
    where
        {{ same_key('new_rows', 'diff', arg_dict['unique_key']) }}
        and diff.may_delete
        and diff.new_date is not null
        and not diff.may_insert
        and new_rows.is_source_gone;
    {%- endif %}
    delete from scope_diff where not may_delete and not may_insert;

    insert into {{ source('ops', family ~ '_touched') }} (refresh_id, layer, {{ noted_columns | join(', ') }})
    select distinct
        ops.current_refresh_id(),
        '{{ config.require("layer") }}',
        {{ columns_of('changed', noted_columns) }}
    from (
        select {{ columns_of('old_rows', noted_columns) }}
        from {{ target }} as old_rows
        inner join scope_diff as diff on {{ same_key('old_rows', 'diff', arg_dict['unique_key']) }}
        where diff.may_delete and diff.is_outside
        union all
        select {{ columns_of('new_rows', noted_columns) }}
        from {{ source_rows }} as new_rows
        inner join scope_diff as diff on {{ same_key('new_rows', 'diff', arg_dict['unique_key']) }}
        where diff.may_insert and diff.is_outside
    ) as changed
    inner join {{ scope }} as scope
        on changed.tenant_id = scope.tenant_id
    where not scope.dates @> changed.date;

    {%- if config.get('changes') %}
    {{ note_changes_sql(arg_dict) }};
    {%- endif %}

    {%- if may_move %}

    -- What a row has left is recomputed by the models that follow.
    insert into {{ subjects }} (refresh_id, tenant_id, grain, key, whole)
    select distinct ops.current_refresh_id(), tenant_id, '{{ subject }}', old_{{ column }}, true
    from scope_diff
    where may_delete and may_insert and old_{{ column }} <> {{ column }}
    on conflict do nothing;
    {%- endif %}

    update scope_diff set old_date = null where not may_delete and old_date is not null;
    update scope_diff set new_date = null where not may_insert and new_date is not null;
    {{ apply_diff_sql(arg_dict) }}
{%- endmacro %}


{#- A rollup has added up what there was. Under its locks nobody writes changes meanwhile. -#}
{% macro note_changes_applied_sql() -%}
    {%- set family = family_of(model) -%}
    {%- set changes = config.require('changes') -%}
    insert into {{ source('ops', family ~ '_change_applied') }} as applied (tenant_id, model, change_table, seq)
    select scope.tenant_id, '{{ this.identifier }}', '{{ changes }}', coalesce(max(changed.seq), 0)
    from {{ source('ops', family ~ '_scope') }} as scope
    left join {{ source('ops', changes) }} as changed
        on scope.tenant_id = changed.tenant_id
    group by scope.tenant_id
    on conflict (tenant_id, model) do update set seq = excluded.seq
    where applied.seq < excluded.seq
{%- endmacro %}


{#-
    What the rollups are to take away and to add: counted rows as they were and as they will be, but
    for the dates that are replaced whole.
-#}
{% macro note_changes_sql(arg_dict) -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set columns = config.require('change_columns') -%}
    {%- set has_verdict = 'verdict' in arg_dict['dest_columns'] | map(attribute='name') -%}
    insert into {{ source('ops', config.require('changes')) }} ({{ columns | join(', ') }}, weight)
    select {{ columns_of('changed', columns) }}, changed.weight
    from (
        select {{ columns_of('old_rows', columns) }}, -1 as weight
        from scope_diff as diff
        inner join {{ arg_dict['target_relation'] }} as old_rows
            on {{ same_key('old_rows', 'diff', key) }}
        where diff.may_delete and diff.is_outside{% if has_verdict %} and old_rows.verdict = 'counted'{% endif %}
        union all
        select {{ columns_of('new_rows', columns) }}, 1 as weight
        from scope_diff as diff
        inner join {{ arg_dict['temp_relation'] }} as new_rows
            on {{ same_key('new_rows', 'diff', key) }}
        where diff.may_insert and diff.is_outside{% if has_verdict %} and new_rows.verdict = 'counted'{% endif %}
    ) as changed
    inner join {{ source('ops', family_of(model) ~ '_scope') }} as scope
        on changed.tenant_id = scope.tenant_id
    where not scope.dates @> changed.date
{%- endmacro %}


{#-
    Where the copy that counted goes, another has to: its subject need not be in scope, for nothing
    in the source links the two any more.
-#}
{% macro note_copies_left_behind(arg_dict) -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set copy = config.require('copy_column') -%}
    create temporary table lost_copy on commit drop as
    select old_rows.tenant_id, old_rows.{{ copy }}
    from scope_diff as diff
    inner join {{ arg_dict['target_relation'] }} as old_rows
        on {{ same_key('old_rows', 'diff', key) }}
    left join {{ arg_dict['temp_relation'] }} as new_rows
        on {{ same_key('new_rows', 'diff', key) }}
    where
        diff.may_delete
        and old_rows.verdict = 'counted'
        and old_rows.{{ copy }} is not null
        and (new_rows.verdict, new_rows.{{ copy }})
        is distinct from (old_rows.verdict, old_rows.{{ copy }});

    -- Hardly ever is there one, and only then is the ledger searched.
    do $$
    declare
        noted bigint;
    begin
        if exists (select from lost_copy) then
            with copies as materialized (
                select copies.*
                from lost_copy
                inner join {{ arg_dict['target_relation'] }} as copies using (tenant_id, {{ copy }})
                where copies.verdict = 'duplicate'
            )
            select ops.note_pending(
                '{{ family_of(model) }}', array_agg(copies.tenant_id),
                '{{ config.require("subject") }}',
                array_agg(copies.{{ config.require("subject_column") }}),
                'the copy that counted is gone'
            ) into strict noted
            from copies
            where not exists (
                select 1 from {{ arg_dict['temp_relation'] }} as judged
                where {{ same_key('judged', 'copies', key) }}
            );
        end if;
    end
    $$
{%- endmacro %}


{#- Keys that differ between `existing` and the recomputed rows, with their dates on either side. -#}
{% macro diff_sql(arg_dict, further=[]) -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    select
        {%- for column in key %}
        coalesce(new_rows.{{ column }}, old_rows.{{ column }}) as {{ column }},
        {%- endfor %}
        {%- for column in further if column not in key %}
        coalesce(new_rows.{{ column }}, old_rows.{{ column }}) as {{ column }},
        old_rows.{{ column }} as {{ 'old_' ~ column }},
        {%- endfor %}
        old_rows.date as {{ 'old_date' }},
        new_rows.date as new_date
    from {{ arg_dict['temp_relation'] }} as new_rows
    full join existing as old_rows
        on {{ same_key('new_rows', 'old_rows', key) }}
    where
        new_rows.tenant_id is null
        or old_rows.tenant_id is null
        or ({{ columns_of('new_rows', columns) }})
        is distinct from ({{ columns_of('old_rows', columns) }})
{%- endmacro %}


{#- Deletes, updates and inserts what scope_diff says, and logs how many rows that were. -#}
{% macro apply_diff_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set source_rows = arg_dict['temp_relation'] -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    analyze scope_diff;

    delete from {{ target }} as old_rows
    using scope_diff as diff
    where {{ same_key('old_rows', 'diff', key) }} and diff.new_date is null;

    update {{ target }} as old_rows
    set
        {%- for column in columns if column not in key %}
        {{ column }} = new_rows.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source_rows }} as new_rows, scope_diff as diff
    where
        {{ same_key('new_rows', 'diff', key) }}
        and {{ same_key('old_rows', 'diff', key) }}
        and diff.old_date is not null
        and diff.new_date is not null;

    -- In the order of the key: else each row goes to another page of its index.
    insert into {{ target }} ({{ columns | join(', ') }})
    select {{ columns_of('new_rows', columns) }}
    from {{ source_rows }} as new_rows
    inner join scope_diff as diff on {{ same_key('new_rows', 'diff', key) }}
    where diff.old_date is null
    order by {{ columns_of('new_rows', key) }};

    {{ count_rows_sql(
        'scope_diff',
        added='count(*) filter (where old_date is null)',
        removed='count(*) filter (where new_date is null)'
    ) }};

    select ops.log_model_rows(
        '{{ this.identifier }}',
        count(*) filter (where old_date is null),
        count(*) filter (where old_date is not null and new_date is not null),
        count(*) filter (where new_date is null)
    )
    from scope_diff
{%- endmacro %}


{#- How many rows the model has of each tenant. -#}
{% macro count_rows_sql(relation, added, removed) -%}
    insert into {{ source('ops', 'model_rows') }} as counted (family, model, tenant_id, row_count)
    select '{{ family_of(model) }}', '{{ this.identifier }}', tenant_id, {{ added }} - {{ removed }}
    from {{ relation }}
    group by tenant_id
    on conflict (family, model, tenant_id) do update
    set row_count = counted.row_count + excluded.row_count, changed_at = excluded.changed_at
{%- endmacro %}


{% macro same_key(left, right, key) -%}
    {%- for column in key %}{{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor -%}
{%- endmacro %}


{% macro columns_of(alias, columns) -%}
    {%- for column in columns %}{{ alias }}.{{ column }}{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}
