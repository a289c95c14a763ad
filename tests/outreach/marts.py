"""The shape of the outreach marts, how to read them as frames and how to compare two sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd
import psycopg
from psycopg import sql

SHOWN = 20

METRICS = [
    "sends",
    "delivered",
    "opens",
    "clicks",
    "bounces",
    "unsubscribes",
    "unique_opens",
    "unique_clicks",
    "failures",
    "drops",
    "hard_bounces",
    "blocks",
    "complaints",
    "replies",
    "machine_opens",
    "unique_human_opens",
    "suspected_bot_clicks",
    "optouts",
    "implied_sends",
    "trackable_sends",
    "unique_opens_or_clicks",
    "resubscribes",
    "suspected_bot_optouts",
]
LIFECYCLE = {
    "active": "activated",
    "paused": "paused",
    "completed": "completed",
    "stopped": "stopped",
    "error": "errored",
}
AGES = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "72h": timedelta(hours=72),
    "7d": timedelta(days=7),
}
COHORT_FLAGS = [
    "sent",
    "implied_sent",
    "delivered",
    "opened",
    "human_opened",
    "clicked",
    "bounced",
    "dropped",
    "complained",
    "unsubscribed",
    "replied",
    "delivered_strict",
    "opened_strict",
] + [f"{what}_within_{age}" for what in ("opened", "clicked", "replied") for age in AGES]
MESSAGE_TIMES = [
    "sent_at",
    "implied_sent_at",
    "failed_at",
    "first_delivered_at",
    "first_open_at",
    "first_human_open_at",
    "first_click_at",
    "first_bounce_at",
    "first_drop_at",
    "first_complaint_at",
    "first_unsubscribe_at",
    "first_reply_at",
]
MESSAGE_COUNTS = ["deliveries", "opens", "human_opens", "clicks", "suspected_bot_clicks", "replies"]

KEYS = {
    "metrics_message": ["tenant_id", "message_id"],
    "metrics_contact_hourly": ["tenant_id", "contact_id", "channel", "hour"],
    "metrics_campaign_daily": ["tenant_id", "campaign_id", "date"],
    "metrics_tenant_daily": ["tenant_id", "date"],
    "metrics_campaign_cohort_daily": ["tenant_id", "campaign_id", "date"],
    "metrics_tenant_cohort_daily": ["tenant_id", "date"],
}
COLUMNS = {
    "metrics_message": [
        *KEYS["metrics_message"],
        *("contact_id", "campaign_id", "channel", "date"),
        *MESSAGE_TIMES,
        *MESSAGE_COUNTS,
        *("is_trackable", "is_hard_bounce"),
    ],
    "metrics_contact_hourly": [*KEYS["metrics_contact_hourly"], "date", *METRICS],
    "metrics_campaign_daily": [
        *KEYS["metrics_campaign_daily"],
        *METRICS,
        *("transitions", *LIFECYCLE.values(), "status_at_close"),
    ],
    "metrics_tenant_daily": [*KEYS["metrics_tenant_daily"], *METRICS],
    "metrics_campaign_cohort_daily": [*KEYS["metrics_campaign_cohort_daily"], *COHORT_FLAGS],
    "metrics_tenant_cohort_daily": [*KEYS["metrics_tenant_cohort_daily"], *COHORT_FLAGS],
}


def read_marts(connection: psycopg.Connection[Any]) -> dict[str, pd.DataFrame]:
    """The marts in schema ``analytics`` as frames with ``COLUMNS``, times in UTC."""
    marts = {}
    for name, columns in COLUMNS.items():
        query = sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier("analytics", name)
        )
        rows = connection.execute(query).fetchall()
        frame = pd.DataFrame(rows, columns=pd.Index(columns), dtype=object)
        for column in columns:
            if column.endswith("_at") or column == "hour":
                frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("us")
        marts[name] = frame
    return marts


def compare(expected: Mapping[str, pd.DataFrame], actual: Mapping[str, pd.DataFrame]) -> list[str]:
    """The differences of two sets of marts, a line each; none when they are equal.

    Compares the columns of ``expected`` in every mart of ``expected``. At most ``SHOWN`` lines a
    mart, then how many more there are.
    """
    lines: list[str] = []
    for name, frame in expected.items():
        if name not in actual:
            lines.append(f"{name}: not there")
            continue
        found = _differences(frame, actual[name], KEYS[name])
        lines.extend(f"{name} {line}" for line in found[:SHOWN])
        if len(found) > SHOWN:
            lines.append(f"{name}: {len(found) - SHOWN} more")
    return lines


def _differences(expected: pd.DataFrame, actual: pd.DataFrame, keys: list[str]) -> list[str]:
    missing = [column for column in expected.columns if column not in actual.columns]
    if missing:
        return [f"lacks the columns {', '.join(missing)}"]
    if _same(expected.sort_values(keys), actual.sort_values(keys)):
        return []
    lines: list[str] = []
    by_key: list[dict[tuple[Any, ...], dict[str, Any]]] = []
    for side, frame in (("expected", expected), ("actual", actual)):
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        columns = {name: _plain_values(frame[name]) for name in expected.columns}
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            key = tuple(row[name] for name in keys)
            if key in rows:
                lines.append(f"{_shown(keys, key)}: twice in {side}")
            rows[key] = row
        by_key.append(rows)
    wanted, found = by_key
    for key in sorted(wanted.keys() | found.keys(), key=str):
        if key not in found:
            lines.append(f"{_shown(keys, key)}: missing, expected {_nonzero(wanted[key], keys)}")
        elif key not in wanted:
            lines.append(f"{_shown(keys, key)}: surplus, has {_nonzero(found[key], keys)}")
        elif wanted[key] != found[key]:
            lines.extend(
                f"{_shown(keys, key)}: {name} expected {value}, has {found[key][name]}"
                for name, value in wanted[key].items()
                if value != found[key][name]
            )
    return lines


def _same(expected: pd.DataFrame, actual: pd.DataFrame) -> bool:
    """Whether two frames in the same order hold the same values; spares the slow look by key."""
    if len(expected) != len(actual):
        return False
    for name in expected.columns:
        left, right = (frame[name].reset_index(drop=True) for frame in (expected, actual))
        if not ((left == right) | (left.isna() & right.isna())).all():
            return False
    return True


def _plain_values(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in column]


def _shown(keys: list[str], key: tuple[Any, ...]) -> str:
    return "(" + ", ".join(f"{name}={value}" for name, value in zip(keys, key, strict=True)) + ")"


def _nonzero(row: Mapping[str, Any], keys: list[str]) -> str:
    told = {name: value for name, value in row.items() if value and name not in keys}
    return ", ".join(f"{name}={value}" for name, value in told.items())
