{#- The numbers of the daily support views in the order of their columns, as model support_daily has them. -#}
{% macro support_daily_numbers() -%}
    {%- set numbers = [
        'conversations_count',
        'incoming_messages_count',
        'outgoing_messages_count',
        'first_responses_count',
        'replies_count',
        'resolutions_count'
    ] -%}
    {%- for duration in support_durations() -%}
        {%- for clock in ['', '_business_hours'] -%}
            {%- do numbers.extend([
                'avg_' ~ duration ~ clock, duration ~ clock ~ '_sum', duration ~ clock ~ '_count'
            ]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(numbers + ['bot_resolutions_count', 'bot_handoffs_count']) }}
{%- endmacro %}


{#- Durations as the views call them, each with its name in the metric registry. -#}
{% macro support_durations() -%}
    {{ return({
        'first_response_time': 'first_response',
        'resolution_time': 'resolution_time',
        'reply_time': 'reply_time'
    }) }}
{%- endmacro %}
