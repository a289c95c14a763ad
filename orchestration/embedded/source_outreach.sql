-- The outreach tables that the models read, as the application ships them, for databases that do
-- not have the application itself (demonstrations, tests, benchmarks).
--
-- No schema is named: everything is created in the first schema of the search_path.
-- All times are UTC wall clock. Foreign keys to tables that are not here (users,
-- site_embedding_domains) are left out. There is deliberately no index on
-- message_events.message_id or created_at: a real database has none either.

create type campaign_channel as enum ('email', 'sms');
create type campaign_status as enum ('draft', 'active', 'paused', 'completed', 'stopped', 'error');
create type outbound_message_state as enum ('queued', 'scheduled', 'sent', 'failed', 'canceled');
create type email_verification_result as enum (
    'valid', 'invalid', 'unknown', 'ok_for_all', 'inferred'
);

create table tenants (
    id text not null,
    name text not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    organization_name text,
    organization_website text,
    organization_summary text,
    site_embedding_domain_id text,
    differentiators jsonb,
    target_market text,
    tone text,
    brand_colors jsonb,
    constraint tenants_pkey primary key (id)
);

create table leads (
    id text not null,
    name text not null,
    status text not null default 'new',
    tenant_id text not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    url text not null,
    summary text,
    site_embedding_domain_id text,
    products jsonb,
    services jsonb,
    differentiators jsonb,
    target_market text,
    tone text,
    primary_contact_id text,
    brand_colors jsonb,
    owner_id text,
    constraint leads_pkey primary key (id),
    constraint leads_tenant_id_tenants_id_fk
    foreign key (tenant_id) references tenants (id) on delete cascade
);
create index idx_leads_tenant_id on leads (tenant_id);

create table lead_point_of_contacts (
    id text not null,
    lead_id text not null,
    name text not null,
    email text,
    phone text,
    title text,
    company text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    source_url text,
    manually_reviewed boolean not null default false,
    strategy_status text not null default 'none',
    email_verification_result email_verification_result not null default 'unknown',
    constraint lead_point_of_contacts_pkey primary key (id),
    constraint lead_point_of_contacts_lead_id_leads_id_fk
    foreign key (lead_id) references leads (id) on delete cascade
);

create table contact_campaigns (
    id text not null,
    tenant_id text not null,
    lead_id text not null,
    contact_id text not null,
    channel campaign_channel not null,
    status campaign_status not null default 'draft',
    current_node_id text,
    plan_json jsonb not null,
    plan_version text not null default '1.0',
    plan_hash text not null,
    started_at timestamp,
    completed_at timestamp,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint contact_campaigns_pkey primary key (id),
    constraint contact_channel_unique unique (tenant_id, contact_id, channel),
    constraint contact_campaigns_tenant_id_tenants_id_fk
    foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint contact_campaigns_lead_id_leads_id_fk
    foreign key (lead_id) references leads (id) on delete cascade,
    constraint contact_campaigns_contact_id_lead_point_of_contacts_id_fk
    foreign key (contact_id) references lead_point_of_contacts (id) on delete cascade
);
create index contact_campaigns_status_idx on contact_campaigns (tenant_id, status);
create index contact_campaigns_plan_hash_idx on contact_campaigns (plan_hash);
create index contact_campaigns_plan_json_gin_idx on contact_campaigns using gin (plan_json);

create table outbound_messages (
    id text not null,
    tenant_id text not null,
    campaign_id text not null,
    contact_id text not null,
    channel campaign_channel not null,
    provider_message_id text,
    dedupe_key text not null,
    content jsonb,
    state outbound_message_state not null default 'queued',
    scheduled_at timestamp,
    sent_at timestamp,
    error_at timestamp,
    last_error text,
    retry_count integer not null default 0,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint outbound_messages_pkey primary key (id),
    constraint outbound_messages_dedupe_unique unique (tenant_id, dedupe_key),
    constraint outbound_messages_tenant_id_tenants_id_fk
    foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint outbound_messages_campaign_id_contact_campaigns_id_fk
    foreign key (campaign_id) references contact_campaigns (id) on delete cascade,
    constraint outbound_messages_contact_id_lead_point_of_contacts_id_fk
    foreign key (contact_id) references lead_point_of_contacts (id) on delete cascade
);
create index outbound_messages_state_idx on outbound_messages (tenant_id, state);
create index outbound_messages_provider_id_idx on outbound_messages (provider_message_id);

-- sg_event_id came with a later migration, so it is the last column.
create table message_events (
    id text not null,
    tenant_id text not null,
    message_id text not null,
    type text not null,
    event_at timestamp not null,
    data jsonb,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    sg_event_id text,
    constraint message_events_pkey primary key (id),
    constraint message_events_tenant_id_tenants_id_fk
    foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint message_events_message_id_outbound_messages_id_fk
    foreign key (message_id) references outbound_messages (id) on delete cascade
);
create index message_events_tenant_type_idx on message_events (tenant_id, type);
create index message_events_event_at_idx on message_events (event_at);
create index message_events_sg_event_id_idx on message_events (sg_event_id);

create table campaign_transitions (
    id text not null,
    tenant_id text not null,
    campaign_id text not null,
    from_status campaign_status,
    to_status campaign_status not null,
    reason text,
    created_by text,
    occurred_at timestamp not null default now(),
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint campaign_transitions_pkey primary key (id),
    constraint campaign_transitions_tenant_id_tenants_id_fk
    foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint campaign_transitions_campaign_id_contact_campaigns_id_fk
    foreign key (campaign_id) references contact_campaigns (id) on delete cascade
);
create index campaign_transitions_campaign_idx on campaign_transitions (campaign_id, occurred_at);

create table contact_unsubscribes (
    id text not null,
    tenant_id text not null,
    channel text not null,
    channel_value text not null,
    unsubscribed_at timestamp not null default now(),
    unsubscribe_source text not null,
    campaign_id text,
    contact_id text,
    ip_address text,
    user_agent text,
    created_at timestamp not null default now(),
    constraint contact_unsubscribes_pkey primary key (id),
    constraint contact_unsubscribes_unique unique (tenant_id, channel, channel_value),
    constraint contact_unsubscribes_tenant_id_tenants_id_fk
    foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint contact_unsubscribes_campaign_id_contact_campaigns_id_fk
    foreign key (campaign_id) references contact_campaigns (id) on delete set null,
    constraint contact_unsubscribes_contact_id_lead_point_of_contacts_id_fk
    foreign key (contact_id) references lead_point_of_contacts (id) on delete set null
);
create index contact_unsubscribes_channel_value_idx
on contact_unsubscribes (channel, channel_value);
create index contact_unsubscribes_source_idx on contact_unsubscribes (unsubscribe_source);
create index contact_unsubscribes_tenant_channel_idx on contact_unsubscribes (tenant_id, channel);
create index contact_unsubscribes_unsubscribed_at_idx on contact_unsubscribes (unsubscribed_at);

create table inbound_messages (
    id text not null,
    tenant_id text not null,
    campaign_id text,
    contact_id text,
    channel campaign_channel not null,
    provider_message_id text,
    received_at timestamp not null default now(),
    subject text,
    body_text text,
    body_html text,
    raw jsonb,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint inbound_messages_pkey primary key (id),
    constraint inbound_messages_tenant_id_tenants_id_fk
    foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint inbound_messages_campaign_id_contact_campaigns_id_fk
    foreign key (campaign_id) references contact_campaigns (id) on delete set null,
    constraint inbound_messages_contact_id_lead_point_of_contacts_id_fk
    foreign key (contact_id) references lead_point_of_contacts (id) on delete set null
);
create index inbound_messages_provider_id_idx on inbound_messages (provider_message_id);
create index inbound_messages_received_at_idx on inbound_messages (received_at);
