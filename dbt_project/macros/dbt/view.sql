{#-
    Views are replaced in place. dbt's own materialization swaps a new view in and drops the old
    one with all that depends on it, an analyst's own views included.

    Public views, and private ones that say so in `meta`, read with the rights of whoever asks, so
    that row-level security is theirs too; the others read with the rights of their owner.
-#}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and not existing.is_view -%}
        {%- do exceptions.raise_compiler_error(
            existing ~ ' is a ' ~ existing.type ~ ', not a view: rename or drop it, then deploy again'
        ) -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if config.get('contract').enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif %}
    {%- set query = in_former_order(existing, sql) if existing is not none else sql -%}
    {% call statement('main') -%}
        create or replace view {{ target_relation }}
        {%- if this.schema == 'analytics' or config.get('meta', {}).get('security_invoker') %} with (security_invoker = true){% endif %} as (
            {{ query }}
        )
    {%- endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#-
    A view that is replaced keeps its columns in their places and can only gain some at the end: the
    query with its new columns moved there. Where one is gone or has another type, the view is
    dropped first, with those of ours that read it; the deployment makes these anew.
-#}
{% macro in_former_order(existing, query) -%}
    {%- do run_query('create or replace temporary view renewed_view as ' ~ query) -%}
    {%- set former = view_columns(existing) -%}
    {%- set present = view_columns('renewed_view') -%}
    {%- do run_query('drop view renewed_view') -%}
    {%- set lost = [] -%}
    {%- for column, type in former.items() if present.get(column) != type -%}
        {%- do lost.append(column) -%}
    {%- endfor -%}
    {%- set names = former | list -%}
    {%- if lost -%}
        {%- do drop_with_readers(existing, lost) -%}
        {{ return(query) }}
    {%- elif names == (present | list)[:names | length] -%}
        {{ return(query) }}
    {%- endif -%}
    {%- set added = present | reject('in', names) | list -%}
    {{ return('select ' ~ (names + added) | map('tojson') | join(', ') ~ ' from (' ~ query ~ ') as renewed') }}
{%- endmacro %}


{#- Names of a view's columns, in order, and their types. -#}
{% macro view_columns(view) -%}
    {%- set found = run_query(
        'select attname, format_type(atttypid, atttypmod) from pg_attribute'
        " where attrelid = '" ~ view ~ "'::regclass and attnum > 0 order by attnum"
    ) -%}
    {%- set types = {} -%}
    {%- for row in found.rows -%}{%- do types.update({row[0]: row[1]}) -%}{%- endfor -%}
    {{ return(types) }}
{%- endmacro %}


{% macro drop_with_readers(existing, lost) -%}
    {%- set foreign = run_query(
        "select string_agg(reader, ', ') from ops.foreign_readers('" ~ existing ~ "'::regclass)"
    ).columns[0].values()[0] -%}
    {%- set change = existing ~ ' changes or loses ' ~ lost | join(', ') -%}
    {%- if foreign -%}
        {%- do exceptions.raise_compiler_error(
            change ~ ', on which views of others depend: ' ~ foreign ~ '. Drop these and deploy again'
        ) -%}
    {%- elif env_var('ROLLUPS_DEPLOY', '') != '1' -%}
        {%- do exceptions.raise_compiler_error(change ~ ': run `rollups init`') -%}
    {%- endif -%}
    {%- do run_query('drop view ' ~ existing ~ ' cascade') -%}
{%- endmacro %}
