-- Reading the JSON of a source. A json column may hold what jsonb refuses, a NUL (\u0000) or half
-- of a character, and then `->>` raises: one row would stop the refresh of every tenant.

create or replace function ops.is_valid_json(p_json json) returns boolean
language plpgsql immutable
-- It sees private rows: no type of whoever asks is taken for ours.
set search_path = pg_catalog
as $$
begin
    return p_json::jsonb is not null;
exception when others then
    return false;
end
$$;
comment on function ops.is_valid_json is 'Whether jsonb takes it; trying costs, so it is for suspicious text alone';

create or replace function ops.is_readable_json(p_json json) returns boolean
language sql immutable
return p_json is null or p_json::text !~* '\\u(0000|d[89a-f])' or ops.is_valid_json(p_json);

create or replace function ops.is_readable_json(p_json jsonb) returns boolean
language sql immutable
return true;
comment on function ops.is_readable_json(jsonb) is 'jsonb can be read, whatever it is';

create or replace function ops.json_text(p_json json, p_key text) returns text
language sql immutable
return case when ops.is_readable_json(p_json) then p_json ->> p_key end;

create or replace function ops.json_text(p_json jsonb, p_key text) returns text
language sql immutable
return p_json ->> p_key;
comment on function ops.json_text(jsonb, text) is 'A value of an object as text; NULL when there is none, or no object';
