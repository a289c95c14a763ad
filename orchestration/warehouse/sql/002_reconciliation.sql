-- What reconciliations found: the source compared with the ledgers by tenant and date.

create table ops.reconciliation (
    reconciliation_id uuid primary key,
    family text not null,
    started_at timestamptz not null,
    seconds double precision not null,
    tenant_ids text[],
    date_from date,
    date_to date,
    allow_shrink boolean not null,
    partitions bigint not null,
    source_rows bigint not null,
    ledger_rows bigint not null,
    differing bigint not null,
    pruned bigint not null
);
create index reconciliation_by_family on ops.reconciliation (family, started_at);
comment on table ops.reconciliation is 'One row a reconciliation: what it compared (NULL: all) and how many partitions it compared, found differing and found pruned';
comment on column ops.reconciliation.source_rows is 'Source rows compared; rows of pending work are left out, here and in ledger_rows';

create table ops.reconciliation_partition (
    reconciliation_id uuid not null,
    tenant_id text not null,
    date date not null,
    part text not null,
    kind text not null check (kind in ('missing', 'gone', 'changed', 'pruned')),
    source_rows bigint not null,
    ledger_rows bigint not null,
    primary key (reconciliation_id, tenant_id, date, part)
);
comment on table ops.reconciliation_partition is 'Partitions in which source and ledger differ, by part: a source table, or optouts';
comment on column ops.reconciliation_partition.kind is 'missing: the ledger has fewer rows; gone: it has more; changed: as many, but not the same; pruned: the source was cut off behind them, so the rollups keep them';
