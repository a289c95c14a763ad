{#- Counted activities (opt-out episodes included) of the dates that the current refresh replaces whole. -#}
{% macro outreach_activities_on_dates() -%}
    {%- set columns = [
        'tenant_id', 'date', 'hour', 'campaign_id', 'contact_id', 'channel', 'kind', 'is_machine'
    ] -%}
    {%- set flags = ['is_first', 'is_first_human', 'is_first_engagement', 'is_block', 'is_trackable'] -%}
    select {{ (columns + flags) | join(', ') }}
    from (
        {{ rows_on_dates('outreach', ref('outreach_activity_ledger')) }}
    ) as activity_ledger
    where verdict = 'counted'

    union all

    select
        {{ columns | join(', ') }}
        {%- for flag in flags %}, false as {{ flag }}{% endfor %}
    from (
        {{ rows_on_dates('outreach', ref('outreach_optout_ledger')) }}
    ) as optout_ledger
    where verdict = 'counted'
{%- endmacro %}
