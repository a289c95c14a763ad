-- What change capture has read, told apart by content: two changes may carry the same ingest time.

alter table ops.seen add column content_hash bigint not null default 0;
comment on column ops.seen.content_hash is 'Hash of the row as staging gives it';
