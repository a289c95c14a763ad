"""MetricFlow over a test's own connection: it writes the SQL, the database answers.

``python -m tests.public.metricflow query ...`` answers as the ``mf`` of dbt-metricflow does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import psycopg
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlClient, SqlEngine
from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup


class _Postgres:
    """What MetricFlow asks of a database in order to write SQL for it."""

    sql_engine_type = SqlEngine.POSTGRES
    sql_plan_renderer = PostgresSQLSqlPlanRenderer()


class SemanticLayer:
    """The project's metrics, asked by name."""

    def __init__(self, manifest: Path, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        text = manifest.read_text(encoding="utf-8")
        # A manifest names the database it was parsed for.
        parsed_for = json.loads(text)["semantic_models"][0]["node_relation"]["database"]
        text = text.replace(f'\\"{parsed_for}\\".', f'\\"{connection.info.dbname}\\".')
        self.manifest = parse_manifest_from_dbt_generated_manifest(text)
        self._engine = MetricFlowEngine(
            SemanticManifestLookup(self.manifest), cast(SqlClient, _Postgres())
        )

    def metrics_of(self, semantic_model: str) -> list[str]:
        """Names of the metrics whose measures a semantic model has."""
        (model,) = [m for m in self.manifest.semantic_models if m.name == semantic_model]
        measures = {measure.name for measure in model.measures}
        return [
            metric.name
            for metric in self.manifest.metrics
            if {measure.name for measure in metric.input_measures} <= measures
        ]

    def query(self, metrics: Sequence[str], group_by: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of the answer as dictionaries."""
        request = MetricFlowQueryRequest.create(metric_names=metrics, group_by_names=group_by)
        statement = self._engine.explain(request).sql_statement.sql
        cursor = self._connection.execute(statement.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def main() -> None:
    """Answer one question of the command line from the database of libpq's variables."""
    from orchestration.dbt_runner import dbt_project
    from orchestration.settings import load_settings

    parser = argparse.ArgumentParser(prog="mf")
    query = parser.add_subparsers(required=True).add_parser("query")
    for option in ("--metrics", "--group-by"):
        query.add_argument(option, required=True, type=lambda text: text.split(","))
    asked = parser.parse_args()
    manifest = dbt_project(load_settings()).semantic_manifest_path
    with psycopg.connect("") as connection:
        for row in SemanticLayer(manifest, connection).query(asked.metrics, asked.group_by):
            print(row)


if __name__ == "__main__":
    main()
