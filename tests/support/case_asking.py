"""What the project answers to a case: the real refresh or backfill, then the public read model.

Each function asks and gives the answer in the shape of the case file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import psycopg

from orchestration.errors import RefreshError
from tests.support.case_matching import only
from tests.support.case_recount import (
    bot_summary_shape,
    matrix_shape,
    rollup_rows,
    summary_shape,
)
from tests.support.cases import Case
from tests.support.recount import KEYS, ROLLUPS, read_marts
from tests.support.screens import SUMMARY_METRICS
from tests.support.warehouse import SupportWarehouse

MART = f"analytics.{ROLLUPS}"
Ask = Callable[[SupportWarehouse, Case], Any]
AskSource = Callable[[SupportWarehouse, Case, str], Any]


class RefusedError(Exception):
    """The read model refused the question; the text says why."""


def load(warehouse: SupportWarehouse, case: Case) -> None:
    """Put the rows of a case into the source, its rollups into the mart, its flag into ops."""
    for table, rows in case.tables.items():
        warehouse.insert_rows(table, rows)
    for row in case.data.get("existing_rollups", ()):
        _insert_rollup(warehouse, row)
    features = case.data["account"].get("features") or {}
    if "report_rollup" in features or case.kind == "source_selection":
        source = "auto" if features.get("report_rollup") else "raw"
        warehouse.rows(
            "select ops.set_read_source('support', %s, %s)", str(case.account_id), source
        )


def _insert_rollup(warehouse: SupportWarehouse, row: Mapping[str, Any]) -> None:
    values = {
        "tenant_id": str(row["account_id"]),
        "count": 0,
        "sum_value": 0.0,
        "sum_value_business_hours": 0.0,
        **row,
    }
    values |= {
        "value_count": values["count"],
        "business_hours_count": values["count"],
        "value_sum": values["sum_value"],
        "business_hours_sum": values["sum_value_business_hours"],
    }
    columns = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    statement = f"insert into {MART} ({columns}) values ({marks})"
    warehouse.connection.execute(statement.encode(), list(values.values()))


def ask(warehouse: SupportWarehouse, function: str, *arguments: Any) -> list[dict[str, Any]]:
    """The rows of a function of the read model; ``RefusedError`` when it says no."""
    marks = ", ".join(["%s"] * len(arguments))
    try:
        return warehouse.records(f"select * from {function}({marks})", *arguments)
    except psycopg.errors.InvalidParameterValue as error:
        raise RefusedError(str(error)) from error


def _window(case: Case) -> tuple[str, Any, Any]:
    return str(case.account_id), case.query.get("since"), case.query.get("until")


def _entity(case: Case) -> tuple[str, str | None]:
    number = case.query.get("id")
    return case.query.get("dimension_type") or "account", None if number is None else str(number)


# Questions that every source answers ----------------------------------------------------------


def _timeseries(warehouse: SupportWarehouse, case: Case, source: str) -> Any:
    tenant_id, since, until = _window(case)
    rows = ask(
        warehouse, "report.timeseries", tenant_id, case.query["metric"], since, until,
        case.query.get("group_by") or "day", *_entity(case), case.asked_zone() or "UTC",
        bool(case.query.get("business_hours")), source,
    )  # fmt: skip
    return [
        {"timestamp": int(row["bucket"].timestamp()), "value": row["value"]}
        | ({} if row["count"] is None else {"count": row["count"]})
        for row in rows
    ]


def _aggregate(warehouse: SupportWarehouse, case: Case, source: str) -> Any:
    tenant_id, since, until = _window(case)
    rows = ask(
        warehouse, "report.aggregate", tenant_id, case.query["metric"], since, until,
        *_entity(case), bool(case.query.get("business_hours")), source,
    )  # fmt: skip
    return rows[0]["value"]


def _summary(warehouse: SupportWarehouse, case: Case, source: str) -> Any:
    tenant_id, since, until = _window(case)
    dimension, number = _entity(case)
    rows = ask(
        warehouse, "report.summary", tenant_id, since, until, dimension,
        bool(case.query.get("business_hours")), source, number,
    )  # fmt: skip
    if dimension == "account":
        return {row["metric"]: row["value"] for row in rows} | {
            "previous": {row["metric"]: row["previous_value"] for row in rows}
        }
    values = {(int(row["id"]), row["metric"]): row["value"] for row in rows}
    ids = dict.fromkeys(number for number, _ in values)
    return summary_shape(
        case,
        {
            number: {name: values[number, metric] for name, metric in SUMMARY_METRICS.items()}
            for number in ids
        },
    )


def _bot_metrics(warehouse: SupportWarehouse, case: Case, source: str) -> Any:
    return ask(warehouse, "report.bot_metrics", *_window(case), source)[0]


def _bot_summary(warehouse: SupportWarehouse, case: Case, source: str) -> Any:
    return bot_summary_shape(
        ask(warehouse, "report.bot_summary", *_window(case), *_entity(case), source)[0]
    )


# Questions to the rows as they are ------------------------------------------------------------


def _label_summary(warehouse: SupportWarehouse, case: Case) -> Any:
    hours = bool(case.query.get("business_hours"))
    rows = ask(warehouse, "report.label_summary", *_window(case), hours)
    return sorted((row | {"id": int(row["id"])} for row in rows), key=lambda row: row["id"])


def _by_channel(warehouse: SupportWarehouse, case: Case) -> Any:
    rows = ask(warehouse, f"report.{case.kind}", *_window(case))
    return {row.pop("channel_type"): row for row in rows}


def _matrix(warehouse: SupportWarehouse, case: Case) -> Any:
    rows = ask(warehouse, "report.inbox_label_matrix", *_window(case))
    return matrix_shape(
        case,
        {row["inbox_id"]: row["inbox_name"] for row in rows},
        {row["label_id"]: row["label_title"] for row in rows},
        {(row["inbox_id"], row["label_id"]): row["count"] for row in rows},
    )


def _drilldown(warehouse: SupportWarehouse, case: Case) -> Any:
    tenant_id, since, until = _window(case)
    query = case.query
    rows = ask(
        warehouse, "report.drilldown", tenant_id, query["metric"], query["bucket"],
        query.get("group_by") or "day", since, until, *_entity(case),
        case.asked_zone() or "UTC", query.get("page", 1), query.get("per_page", 25),
    )  # fmt: skip
    return {
        "total_count": rows[0]["total_count"] if rows else 0,
        "conversation_ids": sorted(row["conversation_id"] for row in rows),
        "event_ids": sorted(row["event_id"] for row in rows if row["event_id"] is not None),
    }


def _diagnose(warehouse: SupportWarehouse, case: Case) -> Any:
    row = ask(warehouse, "report.diagnose_bots", *_window(case))[0]
    names = ("resolution_rate", "handoff_rate", "sum")
    sides = {
        side: {name: row[f"{side}_{name}"] for name in names} if row["bot_conversations"] else None
        for side in ("before", "after")
    }
    counts = ("bot_conversations", "handoff_conversations", "resolved_conversations")
    samples = [sample["conversation_id"] for sample in row["samples"] or ()]
    return {
        **only(counts, row),
        **sides,
        "both": row["both_conversations"],
        "sample_conversation_ids": sorted(samples),
    }


def _duration_text(warehouse: SupportWarehouse, case: Case) -> Any:
    return ask(warehouse, "report.duration_text", case.query["seconds"])[0]["duration_text"]


def _source_selection(warehouse: SupportWarehouse, case: Case) -> Any:
    if case.zone is not None:
        warehouse.refresh()
    # No metric means a summary: the numbers of events in it.
    metric = case.query.get("metric")
    metrics = [metric] if metric else [m for m in SUMMARY_METRICS.values() if "conv" not in m]
    sources = {
        ask(
            warehouse, "report.source_of", str(case.account_id), metric, _entity(case)[0],
            case.query.get("group_by") or "day", case.asked_zone(),
        )[0]["source_of"]
        for metric in metrics
    }  # fmt: skip
    return {"source": "/".join(sorted(sources))}


def _timezone_validation(warehouse: SupportWarehouse, case: Case) -> Any:
    value = case.query["value"]
    canonical = ask(warehouse, "ops.canonical_timezone", value)[0]["canonical_timezone"]
    # A blank zone is allowed and switches the rollups off.
    return {"valid": not value or canonical is not None, "canonical": canonical}


def _metric_registry(warehouse: SupportWarehouse, case: Case) -> Any:
    return warehouse.records("select * from staging.metric_registry")


# Questions to what the refresh and the backfill have made ---------------------------------------


def _rollup_rows(warehouse: SupportWarehouse, case: Case) -> Any:
    warehouse.refresh()
    return _mart_rows(warehouse, case)


def _backfill(warehouse: SupportWarehouse, case: Case) -> Any:
    if "inject_failure" in case.query:
        _break_mart(warehouse)
    days = [date.fromisoformat(day) for day in case.query["dates"]]
    raised = False
    try:
        warehouse.backfill_days(case.account_id, days)
    except RefreshError:
        raised = True
    rows = _mart_rows(warehouse, case)
    if not raised and isinstance(case.data["expected"], Sequence):
        return rows
    return {"raises": raised, "rows": rows}


def _break_mart(warehouse: SupportWarehouse) -> None:
    """From here on every write to the mart fails, whatever it would write."""
    warehouse.connection.execute(
        "create function public.disk_full() returns trigger language plpgsql as"
        " $$ begin raise exception 'injected failure'; end $$"
    )
    statement = (
        f"create trigger injected before insert or update or delete on {MART}"
        " for each statement execute function public.disk_full()"
    )
    warehouse.connection.execute(statement.encode())


def _live_vs_backfill(warehouse: SupportWarehouse, case: Case) -> Any:
    warehouse.refresh()
    live = _rows_of_dates(warehouse, case)
    warehouse.connection.execute(f"delete from {MART}".encode())
    warehouse.backfill_days(
        case.account_id, [date.fromisoformat(day) for day in case.query["dates"]]
    )
    rows = {"live": live, "backfill": _rows_of_dates(warehouse, case)}
    wanted = case.answer.values() if case.has_answer else ()
    if any(isinstance(view, list) for view in wanted):
        return rows
    return {path: sum(row["count"] for row in found) for path, found in rows.items()}


def _rows_of_dates(warehouse: SupportWarehouse, case: Case) -> list[dict[str, Any]]:
    rows = rollup_rows(read_marts(warehouse.connection)[ROLLUPS], case)
    return [row for row in rows if row["date"] in case.query["dates"]]


def _backfill_range(warehouse: SupportWarehouse, case: Case) -> Any:
    rows = ask(warehouse, "ops.backfill_range", "support", str(case.account_id), case.now)
    if not rows or rows[0]["first_date"] > rows[0]["last_date"]:
        return None
    first, last = rows[0]["first_date"], rows[0]["last_date"]
    return {"start": str(first), "end": str(last), "days": (last - first).days + 1}


def _mart_rows(warehouse: SupportWarehouse, case: Case) -> Any:
    rows = rollup_rows(read_marts(warehouse.connection)[ROLLUPS], case)
    if case.query.get("match") == "dates_only":
        return sorted({row["date"] for row in rows})
    return rows


def row_key(row: Mapping[str, Any]) -> str:
    """What rollup rows are put in order by."""
    return str([row.get(name) for name in KEYS[ROLLUPS]])


SOURCED: dict[str, AskSource] = {
    "timeseries": _timeseries,
    "aggregate": _aggregate,
    "summary": _summary,
    "bot_metrics": _bot_metrics,
    "bot_summary": _bot_summary,
}
ASKED: dict[str, Ask] = {
    "label_summary": _label_summary,
    "channel_summary": _by_channel,
    "first_response_distribution": _by_channel,
    "inbox_label_matrix": _matrix,
    "drilldown": _drilldown,
    "diagnose": _diagnose,
    "duration_text": _duration_text,
    "source_selection": _source_selection,
    "timezone_validation": _timezone_validation,
    "metric_registry": _metric_registry,
    "rollup_rows": _rollup_rows,
    "backfill": _backfill,
    "live_vs_backfill": _live_vs_backfill,
    "backfill_range": _backfill_range,
}
