-- Quarantine: rows of the source that cannot be counted, each with a reason.

create table ops.quarantined_row (
    family text not null,
    source_table text not null,
    row_key text not null,
    row_id text,
    tenant_id text not null,
    date date not null,
    reason text not null,
    ingest_watermark timestamp,
    row_count bigint not null,
    noted_at timestamptz not null default now(),
    primary key (family, source_table, row_key)
);
comment on table ops.quarantined_row is 'Rows that can have no place in a ledger, such as those of no known tenant; read again by every capture until they can be counted';
comment on column ops.quarantined_row.row_key is 'Hash of all that is known of the row: ids may be missing, too long, or not its own';

update ops.capture_source
set
    relation = format('(select * from staging.%I where source_table = %L) as arrivals', 'stg_' || family || '__arrivals', source_table),
    row_id = 'row_id',
    subject_key = 'subject_key';
comment on table ops.capture_source is 'Where change capture looks: a private relation, the column of its row id, and the subject a changed row touches';

-- Ledgers of before this have rows without a verdict.
insert into ops.pending (family, tenant_id, grain, key, reason)
select family, tenant_id, 'tenant', '', 'every row gets a verdict'
from ops.tenant_zone
on conflict do nothing;
