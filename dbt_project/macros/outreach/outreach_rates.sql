{#-
    The rates of the activity views, each defined once: numerator and denominator. Both are counted
    by the day of the activity, so a rate may exceed 1.
-#}
{% macro outreach_rates() -%}
    {{ return({
        'delivery_rate': ('delivered', 'sends'),
        'tracked_delivery_rate': ('delivered', 'trackable_sends'),
        'bounce_rate': ('bounces', 'sends'),
        'open_rate': ('unique_opens', 'delivered'),
        'human_open_rate': ('unique_human_opens', 'delivered'),
        'click_rate': ('unique_clicks', 'delivered'),
        'click_to_open_rate': ('unique_clicks', 'unique_opens_or_clicks'),
        'unsubscribe_rate': ('unsubscribes', 'delivered'),
        'complaint_rate': ('complaints', 'delivered'),
        'reply_rate': ('replies', 'delivered')
    }) }}
{%- endmacro %}


{#-
    The rates of the cohort views. Numerator and denominator are messages of the same send day; a
    numerator that does not prove its denominator (a complaint without a delivery report) counts at
    most as much, so that no rate exceeds 1.
-#}
{% macro outreach_cohort_rates() -%}
    {{ return({
        'delivery_rate': ('least(delivered, sent + implied_sent)', 'sent + implied_sent'),
        'bounce_rate': ('least(bounced, sent + implied_sent)', 'sent + implied_sent'),
        'open_rate': ('opened', 'delivered'),
        'human_open_rate': ('human_opened', 'delivered'),
        'click_rate': ('clicked', 'delivered'),
        'click_to_open_rate': ('clicked', 'opened'),
        'unsubscribe_rate': ('least(unsubscribed, delivered)', 'delivered'),
        'complaint_rate': ('least(complained, delivered)', 'delivered'),
        'reply_rate': ('least(replied, delivered)', 'delivered')
    }) }}
{%- endmacro %}
