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
    {% call statement('main') -%}
        create or replace view {{ target_relation }}
        {%- if this.schema == 'analytics' or config.get('meta', {}).get('security_invoker') %} with (security_invoker = true){% endif %} as (
            {{ sql }}
        )
    {%- endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
