"""The Superset bundle in ``examples/superset``, written from the public schema and the charts.

A metric is a column that adds up, or one of the rates and averages as a ratio of sums. Window
metrics are columns to look at, and no metrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import yaml

from scripts.public_schema import mark, public_models
from scripts.semantic_layer import SUBJECTS, ratios_of
from scripts.superset_charts import DASHBOARDS, Chart, Dashboard

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "superset" / "bundle"
NOTE = "# Written by `make docs`: edit scripts/superset_charts.py or the model's YAML.\n"
VERSION = "1.0.0"
# Whoever imports the bundle says where the database is.
URI = "postgresql+psycopg2://dashboards@db.example.com:5432/app"
PERIOD = "Last quarter"
HOUR_OF_DAY = "hour_of_day"

_NAMES = UUID("5b0c4a0e-6a3a-4a0e-9a53-0c8f6f0a7d11")
_FORMATS = {"share": ".1%", "seconds": ",.0f", "working seconds": ",.0f"}
_VIZ = {
    "number": "big_number_total",
    "line": "echarts_timeseries_line",
    "bar": "echarts_timeseries_bar",
    "table": "table",
}
_HEIGHTS = {"number": 20, "line": 50, "bar": 50, "table": 50}


def superset_files(manifest: Mapping[str, Any]) -> dict[Path, str]:
    """Path and text of every file of the bundle."""
    models = {node["alias"]: node for node in public_models(manifest)}
    of_view = {subject.view: ratios_of(subject) for subject in SUBJECTS}
    metadata = {"version": VERSION, "type": "assets", "timestamp": "2026-11-21T00:00:00+00:00"}
    files = {"metadata": metadata, "databases/rollups": _database()}
    for board in DASHBOARDS:
        files[f"dashboards/{board.name}"] = _dashboard(board)
        for chart in charts_of(board):
            files[f"charts/{board.name}/{_slug(chart.title)}"] = _chart(board, chart)
            files[f"datasets/rollups/{chart.view}"] = _dataset(
                models[chart.view], of_view[chart.view]
            )
    return {FOLDER / f"{name}.yaml": NOTE + _as_yaml(content) for name, content in files.items()}


def charts_of(board: Dashboard) -> list[Chart]:
    """All charts of a dashboard, in their order."""
    return [chart for row in board.rows for chart in row]


def _as_yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _id(*names: str) -> str:
    """The same thing has the same id in every release, so an import replaces it."""
    return str(uuid5(_NAMES, "/".join(names)))


def _slug(title: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in title.lower())
    return "_".join(words.split())


def _database() -> dict[str, Any]:
    return {
        "database_name": "Rollups",
        "sqlalchemy_uri": URI,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": _id("database"),
        "version": VERSION,
    }


def _dataset(node: Mapping[str, Any], ratios: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    columns = {
        column["name"]: mark(column["description"]) | {"type": column["data_type"]}
        for column in node["columns"].values()
    }
    return {
        "table_name": node["alias"],
        "main_dttm_col": "date",
        "description": " ".join(node["description"].split()),
        "schema": node["schema"],
        "uuid": _id("dataset", node["alias"]),
        "columns": list(_columns(columns)),
        "metrics": list(_metrics(columns, ratios)),
        "version": VERSION,
        "database_uuid": _id("database"),
    }


def _columns(columns: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    for name, of in columns.items():
        yield {
            "column_name": name,
            "verbose_name": _label(name),
            "is_dttm": of["type"].startswith(("date", "timestamp")),
            "type": of["type"].upper(),
            "groupby": of["adds_up"] in ("key", "attribute"),
            "filterable": True,
            "description": f"{of['text']} [{of['unit']}; {of['clock']}; {of['adds_up']}]",
        }
    if "hour" in columns:
        yield {
            "column_name": HOUR_OF_DAY,
            "verbose_name": "Hour of day",
            "is_dttm": False,
            "type": "INTEGER",
            "groupby": True,
            "filterable": True,
            "expression": "extract(hour from hour)::integer",
        }


def _metrics(
    columns: Mapping[str, Mapping[str, str]], ratios: Mapping[str, tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    for name, of in columns.items():
        if of["adds_up"] == "additive":
            expression = f"sum({name})"
        elif of["adds_up"] == "ratio":
            numerator, denominator = ratios[name]
            expression = f"1.0 * sum({numerator}) / nullif(sum({denominator}), 0)"
        else:
            continue
        yield {
            "metric_name": name,
            "verbose_name": _label(name),
            "expression": expression,
            "description": of["text"],
            "d3format": _FORMATS.get(of["unit"], ",d"),
        }


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _chart(board: Dashboard, chart: Chart) -> dict[str, Any]:
    params = _params(chart)
    return {
        "slice_name": chart.title,
        "viz_type": _VIZ[chart.kind],
        "params": params,
        "query_context": json.dumps(_query_context(chart, params)),
        "uuid": _id("chart", board.name, chart.title),
        "version": VERSION,
        "dataset_uuid": _id("dataset", chart.view),
    }


def _params(chart: Chart) -> dict[str, Any]:
    in_time = {
        "clause": "WHERE",
        "expressionType": "SIMPLE",
        "operator": "TEMPORAL_RANGE",
        "subject": "date",
        "comparator": PERIOD,
    }
    common = {"viz_type": _VIZ[chart.kind], "adhoc_filters": [in_time], "row_limit": 10000}
    if chart.kind == "number":
        return common | {"metric": chart.metrics[0], "header_font_size": 0.4}
    if chart.kind == "table":
        return common | {
            "query_mode": "aggregate",
            "groupby": list(chart.by),
            "metrics": list(chart.metrics),
            "row_limit": 100,
            "order_desc": True,
        }
    x_axis = "date" if chart.every else chart.by[0]
    return common | {
        "x_axis": x_axis,
        "time_grain_sqla": chart.every,
        "metrics": list(chart.metrics),
        "groupby": list(chart.by) if chart.every else [],
        "x_axis_sort_asc": True,
        "orientation": "vertical",
        "stack": "Stack" if chart.kind == "bar" and chart.every else None,
        "show_legend": True,
        "rich_tooltip": True,
        "markerEnabled": chart.kind == "line",
        "y_axis_format": ".0%" if chart.metrics[0].endswith("_rate") else "SMART_NUMBER",
    }


def _query_context(chart: Chart, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a chart asks, for exports, alerts and the API; a browser builds its own."""
    columns: list[Any] = list(chart.by)
    if chart.every:
        axis = {
            "columnType": "BASE_AXIS",
            "expressionType": "SQL",
            "label": "date",
            "sqlExpression": "date",
            "timeGrain": chart.every,
        }
        columns = [axis, *columns]
    query = {
        "columns": columns,
        "metrics": list(chart.metrics),
        "filters": [{"col": "date", "op": "TEMPORAL_RANGE", "val": PERIOD}],
        "orderby": [[chart.metrics[0], False]],
        "row_limit": params["row_limit"],
    }
    return {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [query],
        "result_format": "json",
        "result_type": "full",
    }


def _dashboard(board: Dashboard) -> dict[str, Any]:
    return {
        "dashboard_title": board.title,
        "description": board.description,
        "slug": board.name.replace("_", "-"),
        "uuid": _id("dashboard", board.name),
        "position": _position(board),
        "metadata": {
            "native_filter_configuration": _filters(board),
            "cross_filters_enabled": True,
            "label_colors": {},
        },
        "published": True,
        "version": VERSION,
    }


def _position(board: Dashboard) -> dict[str, Any]:
    rows = [f"ROW-{number}" for number in range(1, len(board.rows) + 1)]
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "HEADER_ID": {"id": "HEADER_ID", "type": "HEADER", "meta": {"text": board.title}},
        "GRID_ID": {"id": "GRID_ID", "type": "GRID", "children": rows, "parents": ["ROOT_ID"]},
    }
    number = 0
    for row, charts in zip(rows, board.rows, strict=True):
        children = []
        for chart in charts:
            number += 1
            children.append(f"CHART-{number}")
            position[children[-1]] = {
                "id": children[-1],
                "type": "CHART",
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", row],
                "meta": {
                    # An import replaces the number by its own.
                    "chartId": number,
                    "uuid": _id("chart", board.name, chart.title),
                    "sliceName": chart.title,
                    "width": chart.width,
                    "height": _HEIGHTS[chart.kind],
                },
            }
        position[row] = {
            "id": row,
            "type": "ROW",
            "children": children,
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
    return position


def _filters(board: Dashboard) -> list[dict[str, Any]]:
    """A period for all charts, and which tenants."""
    view = charts_of(board)[0].view
    scope = {"rootPath": ["ROOT_ID"], "excluded": []}
    period = {
        "id": "NATIVE_FILTER-period",
        "name": "Period",
        "filterType": "filter_time",
        "targets": [{}],
        "defaultDataMask": {
            "extraFormData": {"time_range": PERIOD},
            "filterState": {"value": PERIOD},
        },
        "controlValues": {"enableEmptyFilter": False},
    }
    tenant = {
        "id": "NATIVE_FILTER-tenant",
        "name": "Tenant",
        "filterType": "filter_select",
        "targets": [{"datasetUuid": _id("dataset", view), "column": {"name": "tenant_name"}}],
        "defaultDataMask": {"extraFormData": {}, "filterState": {}},
        "controlValues": {"multiSelect": True, "enableEmptyFilter": False},
    }
    common = {"type": "NATIVE_FILTER", "scope": scope, "cascadeParentIds": []}
    # Each its own copy, or YAML would write one and refer to it.
    return [json.loads(json.dumps(each | common)) for each in (period, tenant)]
