{{ config(meta={'dagster': {'ref': {'name': 'reporting_events_rollups'}}}) }}

-- No row counts nothing, and no more values than events.
select *
from ({{ rows_to_test('support', ref('reporting_events_rollups'), layers=['event']) }}) as rollups
where count <= 0 or value_count > count or business_hours_count > count
