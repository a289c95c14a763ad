{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'metrics_tenant_daily'}}}) }}

-- Nothing is wrong with the rollups here; something may be wrong with the mail or its reports.
with tenant_daily as (
    {{ rows_to_test('outreach', ref('metrics_tenant_daily'), layers=['activity', 'transition']) }}
),

oddities as (
    select
        tenant_id,
        date,
        concat_ws(
            ', ',
            case when bounces > sends * 0.1 then 'more than 10 % bounced' end,
            case when complaints >= 5 and complaints > sends * 0.003 then 'many complaints' end,
            case when implied_sends > sends * 0.05 then 'sends never marked as sent' end,
            case
                when delivered > (sends + implied_sends) * 2
                    then 'twice as many deliveries as sends'
            end,
            case
                when optouts >= 20 and suspected_bot_optouts * 2 > optouts
                    then 'most opt-outs look like link scanners'
            end
        ) as oddity
    from tenant_daily
    where sends + implied_sends >= 100
)

select *
from oddities
where oddity <> ''
