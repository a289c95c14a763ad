"""The Superset bundle names what there is. That Superset draws it: scripts/superset_pictures.py."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.superset.import_bundle import BUNDLE, DATABASE, packed, split_password
from orchestration.dbt_runner import dbt_project
from orchestration.settings import PROJECT_ROOT, Settings

CONTRACT = json.loads((PROJECT_ROOT / "docs" / "public-schema.json").read_text(encoding="utf-8"))
WORDS = {"sum", "nullif", "least", "extract", "hour", "from", "integer"}


def read(folder: str) -> dict[str, dict[str, Any]]:
    """Everything of a kind, by its id."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((BUNDLE / folder).rglob("*.yaml"))]
    found = [yaml.safe_load(text) for text in texts]
    by_id = {each["uuid"]: each for each in found}
    assert len(by_id) == len(found) > 0
    return by_id


DATASETS, CHARTS, DASHBOARDS = read("datasets"), read("charts"), read("dashboards")


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"[a-z_]\w*", expression)) - WORDS


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda each: each["table_name"])
def test_a_dataset_is_a_view_with_all_its_columns(dataset: dict[str, Any]) -> None:
    assert dataset["schema"] == "analytics"
    columns = CONTRACT[dataset["table_name"]]["columns"]
    plain = {each["column_name"]: each for each in dataset["columns"] if "expression" not in each}
    assert list(plain) == list(columns)
    for name, each in plain.items():
        assert each["type"] == columns[name]["type"].upper()
        assert each["groupby"] == (columns[name]["adds_up"] in ("key", "attribute")), name
    computed = [each["expression"] for each in dataset["columns"] if "expression" in each]
    assert all(names_in(expression) <= set(columns) for expression in computed)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda each: each["table_name"])
def test_metrics_are_sums_of_what_adds_up_and_ratios_of_sums(dataset: dict[str, Any]) -> None:
    columns = CONTRACT[dataset["table_name"]]["columns"]
    expressions = {each["metric_name"]: each["expression"] for each in dataset["metrics"]}
    wanted = {name for name, of in columns.items() if of["adds_up"] in ("additive", "ratio")}
    assert set(expressions) == wanted
    for name, expression in expressions.items():
        assert {columns[part]["adds_up"] for part in names_in(expression)} == {"additive"}, name
        if columns[name]["adds_up"] == "additive":
            assert expression == f"sum({name})"
        else:
            assert expression.count("sum(") == 2
            assert expression.endswith(", 0)")


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda each: each["slice_name"])
def test_a_chart_asks_for_what_its_dataset_has(chart: dict[str, Any]) -> None:
    dataset, params = DATASETS[chart["dataset_uuid"]], chart["params"]
    groupable = {each["column_name"] for each in dataset["columns"] if each["groupby"]}
    metrics = params.get("metrics") or [params["metric"]]
    assert set(metrics) <= {each["metric_name"] for each in dataset["metrics"]}
    assert {*params.get("groupby", []), params.get("x_axis", "date")} <= groupable
    assert [each["subject"] for each in params["adhoc_filters"]] == ["date"]
    (query,) = json.loads(chart["query_context"])["queries"]
    assert query["metrics"] == metrics


def test_every_chart_is_on_one_dashboard_and_reads_what_its_exposure_says() -> None:
    manifest = json.loads(dbt_project(Settings()).manifest_path.read_text(encoding="utf-8"))
    exposures = {each["label"]: each for each in manifest["exposures"].values()}
    shown = []
    for dashboard in DASHBOARDS.values():
        position = dashboard["position"].values()
        places = [each for each in position if isinstance(each, dict) and each["type"] == "CHART"]
        charts = [place["meta"]["uuid"] for place in places]
        views = {DATASETS[CHARTS[uuid]["dataset_uuid"]]["table_name"] for uuid in charts}
        reads = exposures.pop(dashboard["dashboard_title"])["depends_on"]["nodes"]
        assert views == {unique_id.split(".")[2] for unique_id in reads}
        targets = [
            t for f in dashboard["metadata"]["native_filter_configuration"] for t in f["targets"]
        ]
        assert {t["datasetUuid"] for t in targets if t} <= set(DATASETS)
        shown += charts
    assert exposures == {}
    assert sorted(shown) == sorted(CHARTS)


def test_the_archive_has_the_given_address_and_no_password() -> None:
    bare, password = split_password(
        "postgresql+psycopg2://ann:p%40s%3As@db:5432/app?sslmode=require"
    )
    assert password == "p@s:s"
    with zipfile.ZipFile(io.BytesIO(packed(bare))) as archive:
        names = {str(Path(name).relative_to("rollups")) for name in archive.namelist()}
        database = yaml.safe_load(archive.read(f"rollups/{DATABASE}"))
    assert database["sqlalchemy_uri"] == (
        "postgresql+psycopg2://ann:XXXXXXXXXX@db:5432/app?sslmode=require"
    )
    assert names == {str(path.relative_to(BUNDLE)) for path in BUNDLE.rglob("*.yaml")}
