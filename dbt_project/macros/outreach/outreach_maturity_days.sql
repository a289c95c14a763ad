{#- Days after which a send day's cohort is taken as complete. -#}
{% macro outreach_maturity_days() -%} 7 {%- endmacro %}
