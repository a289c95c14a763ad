-- Worked out when somebody looks, so it never ends before the present does.
with days as (
    select generate_series(
        date '2000-01-01', (current_date + interval '1 year')::date, interval '1 day'
    )::date as date
)

select
    date,
    date - extract(dow from date)::integer as reporting_week
from days
