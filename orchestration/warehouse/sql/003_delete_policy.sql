-- What deleted source rows do: ledgers may keep rows whose source is gone, and people are erased.

create table ops.erasure (
    erasure_id uuid primary key default gen_random_uuid(),
    at timestamptz not null default now(),
    tenant_id text not null,
    requested_by text not null,
    database_role text not null default session_user,
    rows_changed jsonb not null
);
comment on table ops.erasure is 'Requests to erase a contact: when, by whom, how many rows of each table; never whom';

-- Ledgers of an earlier version: a fresh database has none yet, and dbt makes them.
alter table if exists intermediate.outreach_activity_ledger
add column if not exists copy_of text,
add column if not exists is_source_gone boolean not null default false;

alter table if exists intermediate.outreach_transition_ledger
add column if not exists contact_id text not null default '__none__',
add column if not exists reason_hash bigint,
add column if not exists is_source_gone boolean not null default false;

alter table if exists intermediate.outreach_optout_ledger
add column if not exists evidence_ids jsonb not null default '[]',
add column if not exists is_source_gone boolean not null default false;
