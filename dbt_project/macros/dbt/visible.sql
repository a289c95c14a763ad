{#-
    A private relation as far as whoever asks may see it: its twin in schema `visible`, which
    `rollups init` makes. Public views read with the rights of whoever asks.
-#}
{% macro visible(relation) -%}
    {#- In a unit test the relation is rows of the test. -#}
    {{ return(relation if relation.is_cte else relation.incorporate(path={'schema': 'visible'})) }}
{%- endmacro %}
