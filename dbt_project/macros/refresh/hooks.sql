{#-
    Our tables keep history that the source may have lost, and dropping a seed would take the views
    on it along: --full-refresh is refused before anything is changed.
-#}
{% macro refuse_full_refresh() -%}
    {%- if execute and flags.FULL_REFRESH -%}
        {%- set ours = [] -%}
        {%- for id in selected_resources if id.startswith(('model.rollups.', 'seed.rollups.')) -%}
            {%- do ours.append(id.split('.')[-1]) -%}
        {%- endfor -%}
        {%- if ours -%}
            {%- do exceptions.raise_compiler_error(
                '--full-refresh is refused: it would drop ' ~ ours[:3] | join(', ')
                ~ (' and ' ~ (ours | length - 3) ~ ' more' if ours | length > 3 else '')
                ~ ' with all that depends on them. To compute rollups again, run'
                ~ ' `rollups backfill --family ' ~ families() | join('|') ~ ' --from DATE --to DATE`;'
                ~ ' to load seeds again, run dbt seed without --full-refresh.'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#- Does this dbt command write models by itself, outside a refresh that somebody else drives? -#}
{% macro drives_own_refresh() -%}
    {%- if not execute or flags.WHICH not in ('run', 'build') -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query("select ops.current_refresh_id() is null as driven").columns[0].values()[0]) }}
{%- endmacro %}


{% macro begin_refresh() -%}
    {%- if drives_own_refresh() -%}
        select ops.begin_dbt_refresh('{{ invocation_id }}')
    {%- endif -%}
{%- endmacro %}


{#- Completes a family only if every model of it has run and succeeded; else its work stays pending. -#}
{% macro end_refresh(results) -%}
    {%- if drives_own_refresh() -%}
        {%- set done = results | selectattr('status', 'equalto', 'success')
            | map(attribute='node.unique_id') | list -%}
        {%- set endings = [] -%}
        {%- for family in families() -%}
            {%- set missing = family_models(family) | reject('in', done) | list -%}
            {%- if missing -%}
                {%- set reason = missing | length ~ ' models of ' ~ family ~ ' did not run or failed' -%}
                {%- do log('Rollups: ' ~ reason ~ '; its work stays pending', info=true) -%}
                {%- do endings.append(
                    "ops.fail_refresh('" ~ invocation_id ~ "', '" ~ family ~ "', '" ~ reason ~ "')"
                ) -%}
            {%- else -%}
                {%- do endings.append("ops.complete_refresh('" ~ invocation_id ~ "', '" ~ family ~ "')") -%}
            {%- endif -%}
        {%- endfor -%}
        select {{ endings | join(', ') }}
    {%- endif -%}
{%- endmacro %}


{#- The families that are switched on. -#}
{% macro families() -%}
    {{ return(env_var('ROLLUPS_FAMILIES', 'outreach,support').split(',') | map('trim') | list) }}
{%- endmacro %}


{#- The family of a model: the name of its folder. -#}
{% macro family_of(node) -%}
    {{ return(node.fqn[-2]) }}
{%- endmacro %}


{#- Unique ids of the incremental models of a family: all of them make a refresh. -#}
{% macro family_models(family) -%}
    {%- set models = [] -%}
    {%- for node in graph.nodes.values() -%}
        {%- if node.resource_type == 'model' and family in node.tags
            and node.config.materialized == 'incremental' -%}
            {%- do models.append(node.unique_id) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(models) }}
{%- endmacro %}


{#-
    First statement of every incremental model: session zone, refresh id, locks. Rollups and ledgers
    work side by side with others of their refresh; a model that prepares for them works alone.
-#}
{% macro enter_refresh(family) -%}
    {%- set changes = model.config.get('changes') -%}
    select ops.enter_refresh(
        '{{ family }}',
        '{{ invocation_id }}',
        {{ "'" ~ model.name ~ "'" if model.config.get('incremental_strategy') == 'replace_scope' else 'null' }},
        {{ "'" ~ changes ~ "'" if changes else 'null' }},
        {{ changes is not none and model.config.get('subject') is not none }}
    )
{%- endmacro %}
