"""Our own answer to a case, worked out by the recount: what a quirk without an answer must give.

Each function gives the answer in the shape of the case file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from tests.support.answers import (
    METRICS,
    aggregate,
    bot_metrics,
    bot_summary,
    entities,
    timeseries,
)
from tests.support.cases import Case
from tests.support.periods import GROUPS
from tests.support.recount import KEYS, ROLLUPS, Mart, recount
from tests.support.screens import (
    channel_summary,
    diagnose_bots,
    drilldown,
    duration_text,
    first_response_distribution,
    inbox_label_matrix,
    label_summary,
    summary_row,
)
from tests.support.source import canonical_zone, read_accounts, utc

UPSTREAM_DIMENSIONS = ("account", "agent", "inbox")
ROLLUP_COLUMNS = ("count", "sum_value", "sum_value_business_hours")


def own_answer(case: Case) -> Any:
    """The answer by our definitions. Raises ``KeyError`` for kinds that have no numbers."""
    return OWN[case.kind](case)


def rollup_rows(mart: Mart, case: Case) -> list[dict[str, Any]]:
    """The rows that a case looks at, with upstream's columns, in order of their keys."""
    query = case.query
    wanted = {query["dimension_type"]} if "dimension_type" in query else set(UPSTREAM_DIMENSIONS)
    rows = []
    for key, values in mart.items():
        row = dict(zip(KEYS[ROLLUPS], key, strict=True))
        if row["dimension_type"] not in wanted or row["metric"] != query.get(
            "metric", row["metric"]
        ):
            continue
        if row["account_id"] != case.account_id and not query.get("all_accounts"):
            continue
        row["date"] = str(row["date"])
        rows.append(row | {name: values[name] for name in ROLLUP_COLUMNS})
    return sorted(rows, key=lambda row: str([row[name] for name in KEYS[ROLLUPS]]))


def _rollups(case: Case) -> Mart:
    return recount(read_accounts(case.tables))[ROLLUPS]


def _rows(case: Case) -> Any:
    rows = rollup_rows(_rollups(case), case)
    if case.query.get("match") == "dates_only":
        return sorted({row["date"] for row in rows})
    return rows


def _backfill(case: Case) -> Any:
    """The recount on the dates that were rebuilt, what was there on the others."""
    dates = {date.fromisoformat(day) for day in case.query["dates"]}
    fresh = {key: row for key, row in _rollups(case).items() if key[1] in dates}
    kept = {
        key: row
        for row in case.data.get("existing_rollups", ())
        if (key := _key_of(row))[1] not in dates
    }
    return rollup_rows(kept | fresh, case)


def _key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(
        date.fromisoformat(row[name]) if name == "date" else row[name] for name in KEYS[ROLLUPS]
    )


def _live_vs_backfill(case: Case) -> Any:
    rows = rollup_rows(_rollups(case), case)
    count = sum(row["count"] for row in rows if row["date"] in case.query["dates"])
    return {"live": count, "backfill": count}


def _timeseries(case: Case) -> Any:
    query = case.query
    group_by = query.get("group_by")
    series = timeseries(
        case.account,
        query["metric"],
        case.question(),
        group_by if group_by in GROUPS else "day",
        canonical_zone(case.asked_zone()) or "UTC",
    )
    return [
        {"timestamp": int(start.timestamp()), "value": value}
        | ({} if count is None else {"count": count})
        for start, value, count in series
    ]


def _aggregate(case: Case) -> Any:
    return aggregate(case.account, case.query["metric"], case.question())


def _summary(case: Case) -> Any:
    question = case.question()
    if question.dimension == "account":
        return {metric: aggregate(case.account, metric, question) for metric in METRICS} | {
            "previous": {
                metric: aggregate(case.account, metric, question.before()) for metric in METRICS
            }
        }
    rows = {}
    for number in sorted(entities(case.account, question.dimension)):
        asked = type(question)(
            question.since, question.until, question.dimension, number, question.business_hours
        )
        rows[number] = summary_row(case.account, asked)
    return summary_shape(case, rows)


def summary_shape(case: Case, rows: Mapping[int, Mapping[str, Any]]) -> Any:
    """A list of all entities, or only those that have data by their ids."""
    if case.query.get("include_all_entities"):
        return [{"id": number, **row} for number, row in sorted(rows.items())]
    return {str(number): dict(row) for number, row in rows.items() if any(row.values())}


def _bot_metrics(case: Case) -> Any:
    return bot_metrics(case.account, case.question())


def _bot_summary(case: Case) -> Any:
    return bot_summary_shape(bot_summary(case.account, case.question()))


def bot_summary_shape(row: Mapping[str, Any]) -> dict[str, Any]:
    """The counts, and those of the window before as ``previous``."""
    names = ("bot_resolutions_count", "bot_handoffs_count")
    return {name: row[name] for name in names} | {
        "previous": {name: row[f"previous_{name}"] for name in names}
    }


def _label_summary(case: Case) -> Any:
    rows = label_summary(case.account, case.question())
    return [{"id": number, **row} for number, row in sorted(rows.items())]


def _matrix(case: Case) -> Any:
    cells = inbox_label_matrix(case.account, case.question())
    inboxes = entities(case.account, "inbox")
    return matrix_shape(case, inboxes, case.account.labels, cells)


def matrix_shape(
    case: Case,
    inboxes: Mapping[int, str],
    labels: Mapping[int, str],
    cells: Mapping[tuple[int, int], int],
) -> dict[str, Any]:
    """Rows are inboxes by name, columns labels by title; a case may ask for some of them."""
    rows = _chosen(inboxes, case.query.get("inbox_ids"))
    columns = _chosen(labels, case.query.get("label_ids"))
    return {
        "inboxes": rows,
        "labels": columns,
        "matrix": [[cells.get((row, column), 0) for column in columns] for row in rows],
    }


def _chosen(names: Mapping[int, str], wanted: list[int] | None) -> list[int]:
    return [
        number
        for number in sorted(names, key=lambda number: names[number])
        if wanted is None or number in wanted
    ]


def _drilldown(case: Case) -> Any:
    query = case.query
    rows = drilldown(
        case.account,
        query["metric"],
        case.question(),
        utc(query["bucket"]),
        query.get("group_by") or "day",
        canonical_zone(case.asked_zone()) or "UTC",
    )
    ids = [getattr(row, "conversation_id", None) or row.id for row in rows]
    return {"total_count": len(rows), "conversation_ids": sorted(ids)}


OWN: dict[str, Callable[[Case], Any]] = {
    "rollup_rows": _rows,
    "backfill": _backfill,
    "live_vs_backfill": _live_vs_backfill,
    "timeseries": _timeseries,
    "aggregate": _aggregate,
    "summary": _summary,
    "label_summary": _label_summary,
    "channel_summary": lambda case: channel_summary(case.account, case.question()),
    "first_response_distribution": lambda case: first_response_distribution(
        case.account, case.question()
    ),
    "inbox_label_matrix": _matrix,
    "bot_metrics": _bot_metrics,
    "bot_summary": _bot_summary,
    "drilldown": _drilldown,
    "diagnose": lambda case: diagnose_bots(case.account, case.question()),
    "duration_text": lambda case: duration_text(case.query["seconds"]),
    "timezone_validation": lambda case: {
        "valid": not case.query["value"] or canonical_zone(case.query["value"]) is not None
    },
}
