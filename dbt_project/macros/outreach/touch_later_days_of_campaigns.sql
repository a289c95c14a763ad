{#- A campaign whose transitions changed shows another status on its later days as well. -#}
{% macro touch_later_days_of_campaigns() -%}
    {%- if is_incremental() -%}
        insert into {{ source('ops', 'outreach_touched') }} (refresh_id, layer, tenant_id, date, campaign_id)
        select ops.current_refresh_id(), 'transition', daily.tenant_id, daily.date, daily.campaign_id
        from {{ source('ops', 'outreach_claim') }} as claims
        inner join {{ this }} as daily
            on
                claims.tenant_id = daily.tenant_id
                and claims.key = daily.campaign_id
        where claims.grain = 'campaign'
    {%- endif -%}
{%- endmacro %}
