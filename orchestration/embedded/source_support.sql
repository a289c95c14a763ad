-- The support tables that the models read, as Chatwoot ships them, for databases that do not have
-- the application itself (demonstrations, tests, benchmarks).
--
-- No schema is named: everything is created in the first schema of the search_path.
-- All times are UTC wall clock. There are no foreign keys: the application has none either, so any
-- id can point at nothing. Left out are the indexes for full text search (they need the extension
-- pg_trgm) and the triggers that number an account's conversations (display_id).

create table accounts (
    id serial not null,
    name character varying not null,
    created_at timestamp not null,
    updated_at timestamp not null,
    locale integer default 0,
    domain character varying(100),
    support_email character varying(100),
    feature_flags bigint not null default 0,
    auto_resolve_duration integer,
    limits jsonb default '{}',
    custom_attributes jsonb default '{}',
    status integer default 0,
    internal_attributes jsonb not null default '{}',
    settings jsonb default '{}',
    constraint accounts_pkey primary key (id)
);
create index index_accounts_on_status on accounts (status);

create table users (
    id serial not null,
    provider character varying not null default 'email',
    uid character varying not null default '',
    encrypted_password character varying not null default '',
    reset_password_token character varying,
    reset_password_sent_at timestamp,
    remember_created_at timestamp,
    sign_in_count integer not null default 0,
    current_sign_in_at timestamp,
    last_sign_in_at timestamp,
    current_sign_in_ip character varying,
    last_sign_in_ip character varying,
    confirmation_token character varying,
    confirmed_at timestamp,
    confirmation_sent_at timestamp,
    unconfirmed_email character varying,
    name character varying not null,
    display_name character varying,
    email character varying,
    tokens json,
    created_at timestamp not null,
    updated_at timestamp not null,
    pubsub_token character varying,
    availability integer default 0,
    ui_settings jsonb default '{}',
    custom_attributes jsonb default '{}',
    type character varying,
    message_signature text,
    constraint users_pkey primary key (id)
);
create index index_users_on_email on users (email);
create unique index index_users_on_pubsub_token on users (pubsub_token);
create unique index index_users_on_reset_password_token on users (reset_password_token);
create unique index index_users_on_uid_and_provider on users (uid, provider);

create table account_users (
    id bigserial not null,
    account_id bigint,
    user_id bigint,
    role integer default 0,
    inviter_id bigint,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    active_at timestamp,
    availability integer not null default 0,
    auto_offline boolean not null default true,
    custom_role_id bigint,
    agent_capacity_policy_id bigint,
    constraint account_users_pkey primary key (id)
);
create unique index uniq_user_id_per_account_id on account_users (account_id, user_id);
create index index_account_users_on_account_id on account_users (account_id);
create index index_account_users_on_agent_capacity_policy_id
on account_users (agent_capacity_policy_id);
create index index_account_users_on_custom_role_id on account_users (custom_role_id);
create index index_account_users_on_user_id on account_users (user_id);

create table teams (
    id bigserial not null,
    name character varying not null,
    description text,
    allow_auto_assign boolean default true,
    account_id bigint not null,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    constraint teams_pkey primary key (id)
);
create index index_teams_on_account_id on teams (account_id);
create unique index index_teams_on_name_and_account_id on teams (name, account_id);

create table team_members (
    id bigserial not null,
    team_id bigint not null,
    user_id bigint not null,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    constraint team_members_pkey primary key (id)
);
create unique index index_team_members_on_team_id_and_user_id on team_members (team_id, user_id);
create index index_team_members_on_team_id on team_members (team_id);
create index index_team_members_on_user_id on team_members (user_id);

create table inboxes (
    id serial not null,
    channel_id integer not null,
    account_id integer not null,
    name character varying not null,
    created_at timestamp not null,
    updated_at timestamp not null,
    channel_type character varying,
    enable_auto_assignment boolean default true,
    greeting_enabled boolean default false,
    greeting_message character varying,
    email_address character varying,
    working_hours_enabled boolean default false,
    out_of_office_message character varying,
    timezone character varying default 'UTC',
    enable_email_collect boolean default true,
    csat_survey_enabled boolean default false,
    allow_messages_after_resolved boolean default true,
    auto_assignment_config jsonb default '{}',
    lock_to_single_conversation boolean not null default false,
    portal_id bigint,
    sender_name_type integer not null default 0,
    business_name character varying,
    csat_config jsonb not null default '{}',
    constraint inboxes_pkey primary key (id)
);
create index index_inboxes_on_account_id on inboxes (account_id);
create index index_inboxes_on_channel_id_and_channel_type on inboxes (channel_id, channel_type);
create index index_inboxes_on_portal_id on inboxes (portal_id);

create table working_hours (
    id bigserial not null,
    inbox_id bigint,
    account_id bigint,
    day_of_week integer not null,
    closed_all_day boolean default false,
    open_hour integer,
    open_minutes integer,
    close_hour integer,
    close_minutes integer,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    open_all_day boolean default false,
    constraint working_hours_pkey primary key (id)
);
create index index_working_hours_on_account_id on working_hours (account_id);
create index index_working_hours_on_inbox_id on working_hours (inbox_id);

create table agent_bots (
    id bigserial not null,
    name character varying,
    description character varying,
    outgoing_url character varying,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    account_id bigint,
    bot_type integer default 0,
    bot_config jsonb default '{}',
    constraint agent_bots_pkey primary key (id)
);
create index index_agent_bots_on_account_id on agent_bots (account_id);

-- status: 0 active, 1 inactive.
create table agent_bot_inboxes (
    id bigserial not null,
    inbox_id integer,
    agent_bot_id integer,
    status integer default 0,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    account_id integer,
    constraint agent_bot_inboxes_pkey primary key (id)
);

-- status: 0 disabled, 1 enabled; app_id 'dialogflow' makes its inbox one with a bot.
create table integrations_hooks (
    id bigserial not null,
    status integer default 1,
    inbox_id integer,
    account_id integer,
    app_id character varying,
    hook_type integer default 0,
    reference_id character varying,
    access_token character varying,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    settings jsonb default '{}',
    constraint integrations_hooks_pkey primary key (id)
);

create table labels (
    id bigserial not null,
    title character varying,
    description text,
    color character varying not null default '#1f93ff',
    show_on_sidebar boolean,
    account_id bigint,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    constraint labels_pkey primary key (id)
);
create index index_labels_on_account_id on labels (account_id);
create unique index index_labels_on_title_and_account_id on labels (title, account_id);

create table tags (
    id serial not null,
    name character varying,
    taggings_count integer default 0,
    constraint tags_pkey primary key (id)
);
create unique index index_tags_on_name on tags (name);

-- A conversation's labels: taggable_type 'Conversation', context 'labels', the tag's name is the
-- label's title.
create table taggings (
    id serial not null,
    tag_id integer,
    taggable_type character varying,
    taggable_id integer,
    tagger_type character varying,
    tagger_id integer,
    context character varying(128),
    created_at timestamp,
    constraint taggings_pkey primary key (id)
);
create index index_taggings_on_context on taggings (context);
create unique index taggings_idx
on taggings (tag_id, taggable_id, taggable_type, context, tagger_id, tagger_type);
create index index_taggings_on_tag_id on taggings (tag_id);
create index index_taggings_on_taggable_id_and_taggable_type_and_context
on taggings (taggable_id, taggable_type, context);
create index taggings_idy on taggings (taggable_id, taggable_type, tagger_id, context);
create index index_taggings_on_taggable_id on taggings (taggable_id);
create index index_taggings_on_taggable_type on taggings (taggable_type);
create index index_taggings_on_tagger_id_and_tagger_type on taggings (tagger_id, tagger_type);
create index index_taggings_on_tagger_id on taggings (tagger_id);

-- status: 0 open, 1 resolved, 2 pending, 3 snoozed.
create table conversations (
    id serial not null,
    account_id integer not null,
    inbox_id integer not null,
    status integer not null default 0,
    assignee_id integer,
    created_at timestamp not null,
    updated_at timestamp not null,
    contact_id bigint,
    display_id integer not null,
    contact_last_seen_at timestamp,
    agent_last_seen_at timestamp,
    additional_attributes jsonb default '{}',
    contact_inbox_id bigint,
    uuid uuid not null default gen_random_uuid(),
    identifier character varying,
    last_activity_at timestamp not null default current_timestamp,
    team_id bigint,
    campaign_id bigint,
    snoozed_until timestamp,
    custom_attributes jsonb default '{}',
    assignee_last_seen_at timestamp,
    first_reply_created_at timestamp,
    priority integer,
    sla_policy_id bigint,
    waiting_since timestamp(6),
    cached_label_list text,
    constraint conversations_pkey primary key (id)
);
create unique index index_conversations_on_account_id_and_display_id
on conversations (account_id, display_id);
create index index_conversations_on_id_and_account_id on conversations (account_id, id);
create index conv_acid_inbid_stat_asgnid_idx
on conversations (account_id, inbox_id, status, assignee_id);
create index index_conversations_on_account_id on conversations (account_id);
create index index_conversations_on_assignee_id_and_account_id
on conversations (assignee_id, account_id);
create index index_conversations_on_campaign_id on conversations (campaign_id);
create index index_conversations_on_contact_id on conversations (contact_id);
create index index_conversations_on_contact_inbox_id on conversations (contact_inbox_id);
create index index_conversations_on_first_reply_created_at
on conversations (first_reply_created_at);
create index index_conversations_on_inbox_id on conversations (inbox_id);
create index index_conversations_on_priority on conversations (priority);
create index index_conversations_on_status_and_account_id on conversations (status, account_id);
create index index_conversations_on_status_and_priority on conversations (status, priority);
create index index_conversations_on_team_id on conversations (team_id);
create unique index index_conversations_on_uuid on conversations (uuid);
create index index_conversations_on_waiting_since on conversations (waiting_since);

-- message_type: 0 incoming, 1 outgoing, 2 activity, 3 template.
create table messages (
    id serial not null,
    content text,
    account_id integer not null,
    inbox_id integer not null,
    conversation_id integer not null,
    message_type integer not null,
    created_at timestamp not null,
    updated_at timestamp not null,
    private boolean not null default false,
    status integer default 0,
    source_id character varying,
    content_type integer not null default 0,
    content_attributes json default '{}',
    sender_type character varying,
    sender_id bigint,
    external_source_ids jsonb default '{}',
    additional_attributes jsonb default '{}',
    processed_message_content text,
    sentiment jsonb default '{}',
    constraint messages_pkey primary key (id)
);
create index index_messages_on_additional_attributes_campaign_id
on messages using gin ((additional_attributes -> 'campaign_id'));
create index idx_messages_account_content_created
on messages (account_id, content_type, created_at);
create index index_messages_on_account_created_type
on messages (account_id, created_at, message_type);
create index index_messages_on_account_id_and_inbox_id on messages (account_id, inbox_id);
create index index_messages_on_account_id on messages (account_id);
create index index_messages_on_conversation_account_type_created
on messages (conversation_id, account_id, message_type, created_at);
create index index_messages_on_conversation_id on messages (conversation_id);
create index index_messages_on_created_at on messages (created_at);
create index index_messages_on_inbox_id on messages (inbox_id);
create index index_messages_on_sender_type_and_sender_id on messages (sender_type, sender_id);
create index index_messages_on_source_id on messages (source_id);

create table reporting_events (
    id bigserial not null,
    name character varying,
    value double precision,
    account_id integer,
    inbox_id integer,
    user_id integer,
    conversation_id integer,
    created_at timestamp(6) not null,
    updated_at timestamp(6) not null,
    value_in_business_hours double precision,
    event_start_time timestamp,
    event_end_time timestamp,
    constraint reporting_events_pkey primary key (id)
);
create index reporting_events__account_id__name__created_at
on reporting_events (account_id, name, created_at);
create index index_reporting_events_for_response_distribution
on reporting_events (account_id, name, inbox_id, created_at);
create index index_reporting_events_on_account_id on reporting_events (account_id);
create index index_reporting_events_on_conversation_id on reporting_events (conversation_id);
create index index_reporting_events_on_created_at on reporting_events (created_at);
create index index_reporting_events_on_inbox_id on reporting_events (inbox_id);
create index index_reporting_events_on_name on reporting_events (name);
create index index_reporting_events_on_user_id on reporting_events (user_id);
