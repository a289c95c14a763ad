{#-
    The outreach metrics, each defined once: which rows of the activity ledger it counts.
    Order of columns in every rollup. Definitions in words: models/marts/outreach/_metrics.md.
-#}
{% macro outreach_metrics() -%}
    {{ return({
        'sends': "kind = 'send'",
        'delivered': "kind = 'delivered' and is_first",
        'opens': "kind = 'open'",
        'clicks': "kind = 'click'",
        'bounces': "kind = 'bounce' and is_first",
        'unsubscribes': "kind = 'unsubscribe' and is_first",
        'unique_opens': "kind = 'open' and is_first",
        'unique_clicks': "kind = 'click' and is_first",
        'failures': "kind = 'failure'",
        'drops': "kind = 'dropped' and is_first",
        'hard_bounces': "kind = 'bounce' and is_first and not is_block",
        'blocks': "kind = 'bounce' and is_first and is_block",
        'complaints': "kind = 'complaint' and is_first",
        'replies': "kind = 'reply'",
        'machine_opens': "kind = 'open' and is_machine",
        'unique_human_opens': "kind = 'open' and is_first_human",
        'suspected_bot_clicks': "kind = 'click' and is_machine",
        'optouts': "kind = 'optout'",
        'implied_sends': "kind = 'implied_send'",
        'trackable_sends': "kind = 'send' and is_trackable",
        'unique_opens_or_clicks': "is_first_engagement",
        'resubscribes': "kind = 'resubscribe'",
        'suspected_bot_optouts': "kind = 'optout' and is_machine"
    }) }}
{%- endmacro %}


{#- Counts of every metric over rows with the columns of the activity ledger. -#}
{% macro outreach_metric_counts() -%}
    {%- for metric, counts in outreach_metrics().items() %}
    count(*) filter (where {{ counts }}) as {{ metric }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#- A row stands where at least one metric is not zero. -#}
{% macro outreach_any_metric() -%}
    {{ outreach_metrics() | join(' + ') }} > 0
{%- endmacro %}
