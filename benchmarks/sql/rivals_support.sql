create schema bench;

-- The indexes that `rollups doctor` asks for.
create index if not exists reporting_events_updated_at_idx on {source}.reporting_events (updated_at);
create index if not exists messages_updated_at_idx on {source}.messages (updated_at);
create index if not exists conversations_updated_at_idx on {source}.conversations (updated_at);
create index if not exists conversations_created_at_idx on {source}.conversations (created_at);
analyze {source}.conversations
