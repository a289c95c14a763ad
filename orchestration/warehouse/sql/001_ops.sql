-- Schemas and the operational tables: what is pending, what a refresh claimed, what it did.

create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists analytics;
create schema if not exists report;

comment on schema ops is 'Operations: pending work, scope of refreshes, their log, settings';
comment on schema staging is 'Private: the source tables renamed, typed and in UTC';
comment on schema intermediate is 'Private: ledgers and the scope of the current refresh';
comment on schema analytics is 'Public, contracted rollup tables and rpt_ views';
comment on schema report is 'Public functions that answer questions from the rollups';

create table ops.config (
    name text primary key,
    value text not null
);
comment on table ops.config is 'Settings that SQL reads; written from ROLLUPS_ variables at every start';

create table ops.tenant_setting (
    family text not null,
    tenant_id text not null,
    timezone text,
    read_source text not null default 'auto' check (read_source in ('auto', 'raw')),
    updated_at timestamptz not null default now(),
    primary key (family, tenant_id)
);
comment on table ops.tenant_setting is 'What we keep of a tenant beside its source: reporting zone (NULL: as the source says, else UTC for outreach), and whether reads may use its rollups';

create table ops.tenant_zone (
    family text not null,
    tenant_id text not null,
    timezone text not null,
    primary key (family, tenant_id)
);
comment on table ops.tenant_zone is 'Zone by which a tenant''s rollups are dated (empty: none); another one marks its history pending';

create table ops.timezone (
    name text primary key
);
comment on table ops.timezone is 'Zones this server knows by exactly this name, read from it at every deploy (looking there costs 20 ms)';

create table ops.seed_version (
    seed text primary key,
    content_hash text not null,
    updated_at timestamptz not null default now()
);
comment on table ops.seed_version is 'Hash of each rule seed at the last deploy: a change marks all history pending';

create table ops.rule_seed (
    family text not null,
    seed text not null,
    primary key (family, seed)
);
comment on table ops.rule_seed is 'Seeds whose rules a family''s rollups follow';

insert into ops.rule_seed (family, seed)
values
    ('outreach', 'event_type_map'),
    ('outreach', 'machine_rules'),
    ('outreach', 'provider_capabilities'),
    ('support', 'metric_registry');

-- Change capture ---------------------------------------------------------------------------------

create table ops.capture_source (
    family text not null,
    source_table text not null,
    relation text not null,
    row_id text not null,
    subject_grain text not null,
    subject_key text not null,
    primary key (family, source_table)
);
comment on table ops.capture_source is 'Where change capture looks: a private view, the column of its row id, and the subject a changed row touches';

create table ops.watermark (
    family text not null,
    source_table text not null,
    ingested_to timestamptz not null,
    captured_at timestamptz not null default now(),
    primary key (family, source_table)
);
comment on table ops.watermark is 'Ingest time up to which every row of a source table has been seen';

create table ops.seen (
    family text not null,
    source_table text not null,
    row_id text not null,
    ingested_at timestamptz not null,
    primary key (family, source_table, row_id)
);
comment on table ops.seen is 'Rows seen within the overlap behind the watermark, so that reading it again finds only what is new';

create sequence ops.pending_seq;

create table ops.pending (
    family text not null,
    tenant_id text not null,
    grain text not null check (grain in ('tenant', 'date', 'message', 'campaign', 'optouts', 'conversation')),
    key text not null,
    reason text not null,
    noted_at timestamptz not null default now(),
    seq bigint not null default nextval('ops.pending_seq'),
    primary key (family, tenant_id, grain, key)
);
comment on table ops.pending is 'Work to do: a whole tenant, a tenant-local date, or one subject (message, campaign, opt-outs, conversation) to recompute';
comment on column ops.pending.seq is 'Grows when the same work is noted again, so that a refresh strikes only what it has seen';

-- Refreshes --------------------------------------------------------------------------------------

create table ops.refresh_log (
    refresh_id uuid not null,
    event text not null check (event in ('started', 'claimed', 'completed', 'failed')),
    at timestamptz not null default clock_timestamp(),
    family text not null,
    detail jsonb not null default '{}',
    primary key (refresh_id, family, event)
);
comment on table ops.refresh_log is 'Append-only: a start, a claim and an end for every refresh; a start without an end is a lost refresh';

create table ops.refresh_claim (
    refresh_id uuid not null,
    family text not null,
    tenant_id text not null,
    grain text not null,
    key text not null,
    seq bigint not null,
    primary key (refresh_id, family, tenant_id, grain, key)
);
comment on table ops.refresh_claim is 'Pending work a running refresh has taken; struck from pending when it completes';

create table ops.refresh_scope (
    refresh_id uuid not null,
    family text not null,
    tenant_id text not null,
    dates datemultirange not null,
    date_from date not null,
    date_to date not null,
    primary key (refresh_id, family, tenant_id)
);
comment on table ops.refresh_scope is 'Tenants of a refresh, with the local dates it replaces whole (empty: only subjects)';
comment on column ops.refresh_scope.date_to is 'First date after the last one; with date_from a bound for index scans';

create table ops.refresh_partition (
    refresh_id uuid not null,
    family text not null,
    tenant_id text not null,
    date date not null,
    primary key (refresh_id, family, tenant_id, date)
);
create index refresh_partition_by_tenant on ops.refresh_partition (family, tenant_id, date);
comment on table ops.refresh_partition is 'Partitions (tenant x local date) each completed refresh rebuilt';

create table ops.refresh_model (
    refresh_id uuid not null,
    model text not null,
    rows_inserted bigint not null,
    rows_updated bigint not null,
    rows_deleted bigint not null,
    at timestamptz not null default clock_timestamp(),
    primary key (refresh_id, model)
);
comment on table ops.refresh_model is 'Rows that each model of a refresh really changed';

create table ops.outreach_touched (
    refresh_id uuid not null,
    layer text not null,
    tenant_id text not null,
    date date not null,
    campaign_id text,
    contact_id text,
    channel text,
    hour timestamptz
);
create index outreach_touched_by_tenant on ops.outreach_touched (tenant_id);
comment on table ops.outreach_touched is 'Keys of rollup rows to recompute because rows of a ledger (layer) changed; written in the transaction of that change, cleared when a refresh completes';

create table ops.support_touched (
    refresh_id uuid not null,
    layer text not null,
    tenant_id text not null,
    date date not null
);
create index support_touched_by_tenant on ops.support_touched (tenant_id);
comment on table ops.support_touched is 'Days of rollups to recompute because rows of a ledger (layer) changed; as ops.outreach_touched';

insert into ops.capture_source (family, source_table, relation, row_id, subject_grain, subject_key)
values
    ('outreach', 'outbound_messages', 'staging.stg_outreach__messages', 'message_id', 'message', 'message_id'),
    ('outreach', 'message_events', 'intermediate.outreach_message_events', 'event_id', 'message', 'message_id'),
    ('outreach', 'inbound_messages', 'staging.stg_outreach__inbound_messages', 'inbound_id', 'message', '''inbound/'' || inbound_id'),
    ('outreach', 'campaign_transitions', 'staging.stg_outreach__transitions', 'transition_id', 'campaign', 'campaign_id'),
    ('outreach', 'contact_unsubscribes', 'staging.stg_outreach__unsubscribes', 'unsubscribe_id', 'optouts', ''''''),
    ('support', 'reporting_events', 'staging.stg_support__events', 'event_id::text', 'conversation', 'coalesce(conversation_id::text, ''event/'' || event_id)'),
    ('support', 'conversations', 'staging.stg_support__conversations', 'conversation_id::text', 'conversation', 'conversation_id::text'),
    ('support', 'messages', 'staging.stg_support__messages', 'message_id::text', 'conversation', 'coalesce(conversation_id::text, ''message/'' || message_id)');
