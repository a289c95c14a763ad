-- Ledger and contact-hourly as they are, and the same rows in one partition a month.
-- A unique key of a partitioned table must contain the month, and that of the ledger does not: rows
-- of a message are found without knowing when anything happened.
create table bench.hourly_plain (like analytics.metrics_contact_hourly including indexes);
create table bench.ledger_plain (like intermediate.outreach_activity_ledger including indexes);

create table bench.hourly_monthly (
    like analytics.metrics_contact_hourly,
    primary key (tenant_id, contact_id, channel, hour)
) partition by range (hour);
create index on bench.hourly_monthly (tenant_id, date);

create table bench.ledger_monthly (
    like intermediate.outreach_activity_ledger
) partition by range (occurred_at);
create index on bench.ledger_monthly (tenant_id, message_id, activity_id);
create index on bench.ledger_monthly (tenant_id, date);

do $$
declare
    month timestamptz;
begin
    for month in
        select
            generate_series(
                date_trunc('month', min(hour) - interval '3 days', 'UTC'),
                max(hour) + interval '3 days',
                '1 month'
            )
        from analytics.metrics_contact_hourly
    loop
        execute format(
            'create table bench.hourly_%s partition of bench.hourly_monthly for values from (%L) to (%L)',
            to_char(month, 'YYYY_MM'), month, month + interval '1 month'
        );
        execute format(
            'create table bench.ledger_%s partition of bench.ledger_monthly for values from (%L) to (%L)',
            to_char(month, 'YYYY_MM'), month, month + interval '1 month'
        );
    end loop;
end
$$;
create table bench.ledger_rest partition of bench.ledger_monthly default;
