{#-
    What keeps an arrival out of every ledger, or NULL: a fault of its tenant, or of its own.
    To put into a query of `arrivals` left joined with `tenants`.
-#}
{% macro arrival_fault() -%}
    case
        when arrivals.tenant_id is null then 'no_tenant'
        when not ops.is_tenant_id(arrivals.tenant_id) then 'unusable_tenant_id'
        when tenants.tenant_id is null then 'unknown_tenant'
        else arrivals.fault
    end
{%- endmacro %}
