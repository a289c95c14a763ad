-- Reporting zones this server does not know by that name.
select tenant_id, timezone
from ops.tenant_setting
where family = %(family)s and ops.canonical_timezone(timezone) is null
order by tenant_id
