-- Change capture by triggers in the source, and the rules that the rollups were made by.

create table ops.change_queue (
    family text not null,
    source_table text not null,
    tenant_id text,
    grain text not null,
    key text not null,
    noted_at timestamptz not null default now()
);
comment on table ops.change_queue is 'What the source''s triggers have noted since the last capture; written in the transaction of the change itself';

create table ops.trigger_installation (
    family text not null,
    source_table text not null,
    installed_at timestamptz not null,
    primary key (family, source_table)
);
comment on table ops.trigger_installation is 'When the triggers of a source table were installed: what came in before is found by ingest time once more';

alter table ops.watermark add column noted_to timestamptz;
comment on column ops.watermark.noted_to is 'Time of the newest change that a trigger has noted';

create table ops.rule_row (
    seed text not null,
    rule jsonb not null,
    primary key (seed, rule)
);
comment on table ops.rule_row is 'Rows of the rule seeds as the rollups follow them: a row that came or went marks what it concerns pending';

drop table ops.seed_version;

create function ops.refuse_change() returns trigger
language plpgsql
as $$
begin
    -- But for the ids of a person who is erased, which an error may have named.
    if tg_op = 'UPDATE' and current_setting('rollups.erasing', true) = 'on' then
        return null;
    end if;
    raise exception 'ops.% is append-only', tg_table_name using errcode = '42501';
end
$$;
create trigger append_only before update or delete or truncate on ops.refresh_log
for each statement execute function ops.refuse_change();
