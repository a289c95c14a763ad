{#- Counted activities (opt-out episodes included) that the current refresh recomputes. -#}
{% macro outreach_activities_in_scope(keys, layers) -%}
    {%- set columns = [
        'tenant_id', 'date', 'hour', 'campaign_id', 'contact_id', 'channel', 'kind', 'is_machine'
    ] -%}
    {%- set flags = ['is_first', 'is_first_human', 'is_first_engagement', 'is_block', 'is_trackable'] -%}
    select {{ (columns + flags) | join(', ') }}
    from (
        {{ rows_in_scope('outreach', ref('outreach_activity_ledger'), keys, layers) }}
    ) as activity_ledger
    where verdict = 'counted'

    union all

    select
        {{ columns | join(', ') }}
        {%- for flag in flags %}, false as {{ flag }}{% endfor %}
    from (
        {{ rows_in_scope('outreach', ref('outreach_optout_ledger'), keys, layers) }}
    ) as optout_ledger
    where verdict = 'counted'
{%- endmacro %}
