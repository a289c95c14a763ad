{{ config(meta={'dagster': {'ref': {'name': 'metrics_tenant_daily'}}}) }}

-- Contact-hourly, campaign-daily and tenant-daily say the same of every tenant and local day that
-- was replaced whole. Days to which a little was added are read whole once a day, by the check
-- `sums_agree` of the reconciliation.
with hourly as (
    {{ rows_to_test('outreach', ref('metrics_contact_hourly')) }}
),

campaign_daily as (
    {{ rows_to_test('outreach', ref('metrics_campaign_daily')) }}
),

tenant_daily as (
    {{ rows_to_test('outreach', ref('metrics_tenant_daily')) }}
),

totals as (
    {%- for rollup in ['hourly', 'campaign_daily', 'tenant_daily'] %}
    select
        tenant_id,
        date,
        '{{ rollup }}' as rollup,
        {%- for metric in outreach_metrics() %}
        sum({{ metric }}) as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ rollup }}
    group by tenant_id, date
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select
    tenant_id,
    date,
    string_agg(rollup, ', ') as rollups,
    {%- for metric in outreach_metrics() %}
    {{ metric }}{% if not loop.last %},{% endif %}
    {%- endfor %}
from totals
-- a day with nothing but transitions is in campaign-daily alone
where {{ outreach_any_metric() }}
group by
    tenant_id,
    date,
    {%- for metric in outreach_metrics() %}
    {{ metric }}{% if not loop.last %},{% endif %}
    {%- endfor %}
having count(*) <> 3
