{#-
    The columns of the send-day cohort, each defined once: which messages it counts. `opened` and
    `delivered` include what a later step proves (a click proves an open); `_strict` do not.
-#}
{% macro outreach_cohort_flags() %}
    {%- set opened_at = 'least(first_open_at, first_click_at)' -%}
    {%- set flags = {
        'sent': 'sent_at is not null',
        'implied_sent': 'implied_sent_at is not null',
        'delivered': 'coalesce(first_delivered_at, first_open_at, first_click_at) is not null',
        'opened': opened_at ~ ' is not null',
        'human_opened': 'first_human_open_at is not null',
        'clicked': 'first_click_at is not null',
        'bounced': 'first_bounce_at is not null',
        'dropped': 'first_drop_at is not null',
        'complained': 'first_complaint_at is not null',
        'unsubscribed': 'first_unsubscribe_at is not null',
        'replied': 'first_reply_at is not null',
        'delivered_strict': 'first_delivered_at is not null',
        'opened_strict': 'first_open_at is not null'
    } -%}
    {%- for name, at in {'opened': opened_at, 'clicked': 'first_click_at', 'replied': 'first_reply_at'}.items() -%}
        {%- for age, span in {'1h': '1 hour', '24h': '24 hours', '72h': '72 hours', '7d': '7 days'}.items() -%}
            {%- do flags.update({
                name ~ '_within_' ~ age: at ~ " <= coalesce(sent_at, implied_sent_at) + interval '" ~ span ~ "'"
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(flags) }}
{%- endmacro %}


{#- A cohort row stands where at least one message of the day did anything a column counts. -#}
{% macro outreach_any_cohort_flag() -%}
    {{ outreach_cohort_flags() | join(' + ') }} > 0
{%- endmacro %}
