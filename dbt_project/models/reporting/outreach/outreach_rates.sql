{{ config(schema='intermediate', meta={'security_invoker': true}) }}
select
    rates.rate,
    rates.numerator,
    rates.denominator
from (
    values
    {%- for rate, (numerator, denominator) in outreach_rates().items() %}
    ('{{ rate }}', '{{ numerator }}', '{{ denominator }}'){{ ',' if not loop.last }}
    {%- endfor %}
) as rates (rate, numerator, denominator)
