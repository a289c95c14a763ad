-- Rollups learn of a changed ledger by what to add and to take away, not by reading all of a day.

create sequence ops.outreach_change_seq;

create table ops.outreach_activity_change (
    seq bigint not null default nextval('ops.outreach_change_seq'),
    tenant_id text not null,
    date date not null,
    hour timestamptz not null,
    campaign_id text not null,
    contact_id text not null,
    channel text not null,
    kind text not null,
    is_machine boolean not null,
    is_first boolean not null default false,
    is_first_human boolean not null default false,
    is_first_engagement boolean not null default false,
    is_block boolean not null default false,
    is_trackable boolean not null default false,
    weight smallint not null check (weight in (-1, 1))
);
create index outreach_activity_change_by_tenant on ops.outreach_activity_change (tenant_id, seq);
comment on table ops.outreach_activity_change is 'Counted activities that came (weight 1) or went (-1) in a ledger since rollups were told; written in the transaction of that change, each rollup adds them up once';

create table ops.outreach_message_change (
    seq bigint not null default nextval('ops.outreach_change_seq'),
    tenant_id text not null,
    date date not null,
    campaign_id text not null,
    sent_at timestamptz,
    implied_sent_at timestamptz,
    first_delivered_at timestamptz,
    first_open_at timestamptz,
    first_human_open_at timestamptz,
    first_click_at timestamptz,
    first_bounce_at timestamptz,
    first_drop_at timestamptz,
    first_complaint_at timestamptz,
    first_unsubscribe_at timestamptz,
    first_reply_at timestamptz,
    weight smallint not null check (weight in (-1, 1))
);
create index outreach_message_change_by_tenant on ops.outreach_message_change (tenant_id, seq);
comment on table ops.outreach_message_change is 'Messages that came (weight 1) or went (-1) in metrics_message, as ops.outreach_activity_change';

create table ops.outreach_change_applied (
    tenant_id text not null,
    model text not null,
    change_table text not null,
    seq bigint not null,
    primary key (tenant_id, model)
);
comment on table ops.outreach_change_applied is 'Up to which change a rollup has added them up; moved in the transaction that does it';

-- Keys that an interrupted refresh has left: the rollups take no such list any more.
insert into ops.pending (family, tenant_id, grain, key, reason)
select distinct 'outreach', tenant_id, 'tenant', '', 'interrupted before an upgrade' from ops.outreach_touched
on conflict do nothing;
delete from ops.outreach_touched;
alter table ops.outreach_touched drop column contact_id, drop column channel, drop column hour;
comment on table ops.outreach_touched is 'Days of rollups that change because rows of a ledger (layer) did, and campaign-days with another status; written in the transaction of that change, cleared when a refresh completes';
