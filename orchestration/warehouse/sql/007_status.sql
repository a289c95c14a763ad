-- What a status says of every model: how long it takes, how many rows a tenant has in it.

alter table ops.refresh_model add column seconds double precision;
comment on column ops.refresh_model.seconds is 'Length of the model''s transaction, waiting for locks included';

create table ops.model_rows (
    family text not null,
    model text not null,
    tenant_id text not null,
    row_count bigint not null,
    changed_at timestamptz not null default now(),
    primary key (family, model, tenant_id)
);
comment on table ops.model_rows is 'Rows of a tenant in each table of ours, kept in the transaction that changes them: a count of large tables would take seconds';

create index refresh_log_by_time on ops.refresh_log (family, at);

-- A database from before these counts were kept.
do $$
declare
    existing record;
begin
    for existing in
        select tables.*
        from (
            values
            ('outreach', 'intermediate', 'outreach_activity_ledger'),
            ('outreach', 'intermediate', 'outreach_optout_ledger'),
            ('outreach', 'intermediate', 'outreach_transition_ledger'),
            ('outreach', 'intermediate', 'outreach_campaign_cohort'),
            ('outreach', 'intermediate', 'outreach_tenant_cohort'),
            ('outreach', 'analytics', 'metrics_message'),
            ('outreach', 'analytics', 'metrics_contact_hourly'),
            ('outreach', 'analytics', 'metrics_campaign_daily'),
            ('outreach', 'analytics', 'metrics_tenant_daily'),
            ('support', 'intermediate', 'support_event_ledger'),
            ('support', 'intermediate', 'support_conversation_ledger'),
            ('support', 'intermediate', 'support_message_ledger'),
            ('support', 'intermediate', 'support_bot_events'),
            ('support', 'intermediate', 'support_bot_daily'),
            ('support', 'intermediate', 'support_bot_messages_daily'),
            ('support', 'analytics', 'reporting_events_rollups'),
            ('support', 'analytics', 'conversations_daily')
        ) as tables (family, room, model)
        where to_regclass(format('%I.%I', tables.room, tables.model)) is not null
    loop
        execute format(
            'insert into ops.model_rows (family, model, tenant_id, row_count)'
            ' select %L, %L, tenant_id, count(*) from %I.%I group by tenant_id',
            existing.family, existing.model, existing.room, existing.model
        );
    end loop;
end
$$;
