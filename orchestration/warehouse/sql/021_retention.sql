-- Old logs may be deleted, by ops.prune_log alone.

create or replace function ops.refuse_change() returns trigger
language plpgsql
as $$
begin
    -- But for the ids of a person who is erased, which an error may have named, and for old logs.
    if tg_op = 'UPDATE' and current_setting('rollups.erasing', true) = 'on'
        or tg_op = 'DELETE' and current_setting('rollups.pruning', true) = 'on'
    then
        return null;
    end if;
    raise exception 'ops.% is append-only', tg_table_name using errcode = '42501';
end
$$;
