"""An independent recount of the outreach marts in Python and pandas, for tests.

Written from the definitions of the metrics alone, not from the dbt models nor from the SQL of
``rollups verify``, so that three ways of counting can be held against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import psycopg
from psycopg import sql

from tests.outreach.admission import admitted
from tests.outreach.marts import (
    AGES,
    COHORT_FLAGS,
    COLUMNS,
    KEYS,
    LIFECYCLE,
    MESSAGE_COUNTS,
    METRICS,
    compare,
)
from tests.outreach.recount_facts import (
    NOBODY,
    RULE_SEEDS,
    Id,
    Message,
    Rules,
    attach_events,
    messages_of,
    opt_outs,
    rows_of,
)

__all__ = ["compare", "read_seeds", "read_source", "read_staging_seeds", "recount"]

SEEDS_DIR = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"

SOURCE_COLUMNS = {
    "outbound_messages": "id tenant_id campaign_id contact_id channel provider_message_id state"
    " sent_at error_at updated_at",
    "message_events": "id tenant_id message_id type event_at data created_at sg_event_id",
    "campaign_transitions": "id tenant_id campaign_id from_status to_status reason occurred_at"
    " created_at",
    "contact_campaigns": "id contact_id",
    "lead_point_of_contacts": "id lead_id email",
    "leads": "id tenant_id",
    "contact_unsubscribes": "id tenant_id channel channel_value unsubscribed_at campaign_id"
    " contact_id created_at",
    "inbound_messages": "id tenant_id campaign_id contact_id channel received_at updated_at",
    "tenants": "id",
}
OPTIONAL_TABLES = ("contact_unsubscribes", "inbound_messages", "campaign_transitions")


def recount(
    source: psycopg.Connection[Any] | Mapping[str, pd.DataFrame],
    schema: str,
    zones: Mapping[str, str],
    *,
    seeds: Mapping[str, pd.DataFrame] | None = None,
    min_event_date: date = date(2000, 1, 1),
) -> dict[str, pd.DataFrame]:
    """What every outreach mart should hold, by name, keys first (all columns but ``is_mature``).

    ``source`` is a connection whose ``schema`` has the source tables, or those tables as frames
    (then ``schema`` is not used; times without a zone are UTC). ``zones`` gives a tenant's
    reporting zone, UTC if it has none. The rules come from ``seeds``, else from the project's seed
    files, else from schema ``staging`` of the connection. Dates are ``datetime.date``, other times
    ``datetime64[us, UTC]``.
    """
    connection = source if isinstance(source, psycopg.Connection) else None
    given = read_source(source, schema) if isinstance(source, psycopg.Connection) else source
    tables = admitted({name: _table(given, name) for name in SOURCE_COLUMNS})
    rules = Rules(
        seeds or read_seeds(connection), datetime.combine(min_event_date, time(), tzinfo=UTC)
    )
    messages = messages_of(rows_of(tables["outbound_messages"]), rules)
    attach_events(rows_of(tables["message_events"]), messages, rules)

    activity = _activity(messages, tables, zones, rules)
    transitions = _transitions(tables["campaign_transitions"], zones, rules)
    facts = _message_facts(messages, zones)
    return {
        "metrics_message": facts[COLUMNS["metrics_message"]],
        "metrics_contact_hourly": _counted(activity, "metrics_contact_hourly"),
        "metrics_campaign_daily": _campaign_daily(activity, transitions),
        "metrics_tenant_daily": _counted(activity, "metrics_tenant_daily"),
        "metrics_campaign_cohort_daily": _cohorts(facts, "metrics_campaign_cohort_daily"),
        "metrics_tenant_cohort_daily": _cohorts(facts, "metrics_tenant_cohort_daily"),
    }


def read_source(connection: psycopg.Connection[Any], schema: str) -> dict[str, pd.DataFrame]:
    """The source tables the recount reads, as frames; an optional table may be missing."""
    present = {
        row[0]
        for row in connection.execute(
            "select table_name from information_schema.tables where table_schema = %s", (schema,)
        )
    }
    return {
        name: _select(connection, schema, name, columns.split())
        for name, columns in SOURCE_COLUMNS.items()
        if name in present or name not in OPTIONAL_TABLES
    }


def read_seeds(connection: psycopg.Connection[Any] | None) -> dict[str, pd.DataFrame]:
    """The rule seeds: the project's files, or what schema ``staging`` holds."""
    files = {name: SEEDS_DIR / f"{name}.csv" for name in RULE_SEEDS}
    if all(file.exists() for file in files.values()):
        return {
            name: pd.read_csv(file, dtype=str, keep_default_na=False)
            for name, file in files.items()
        }
    if connection is None:
        raise FileNotFoundError(f"{SEEDS_DIR}: no seed files, and no database to take them from")
    return read_staging_seeds(connection)


def read_staging_seeds(connection: psycopg.Connection[Any]) -> dict[str, pd.DataFrame]:
    """The rule seeds as the database holds them."""
    return {name: _select(connection, "staging", name, None) for name in RULE_SEEDS}


def _select(
    connection: psycopg.Connection[Any], schema: str, name: str, columns: list[str] | None
) -> pd.DataFrame:
    listed = sql.SQL(", ").join(map(_column, columns)) if columns else sql.SQL("*")
    cursor = connection.execute(
        sql.SQL("select {} from {}").format(listed, sql.Identifier(schema, name))
    )
    names = columns or [column.name for column in cursor.description or ()]
    return pd.DataFrame(cursor.fetchall(), columns=pd.Index(names), dtype=object)


def _column(name: str) -> sql.Composable:
    """A column of the source; a time that Python has no date for is as good as none."""
    column = sql.Identifier(name)
    if not name.endswith("_at"):
        return column
    return sql.SQL("case when {0} >= '0002-01-01' and {0} < '9999-01-01' then {0} end").format(
        column
    )


def _table(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """A source table with its times in UTC; an optional one that is missing is empty."""
    columns = SOURCE_COLUMNS[name].split()
    if name not in tables and name in OPTIONAL_TABLES:
        frame = pd.DataFrame(columns=pd.Index(columns), dtype=object)
    else:
        frame = tables[name].reindex(columns=pd.Index(columns))
    for column in columns:
        if column.endswith("_at"):
            frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("us")
    return frame


def local_buckets(at: pd.Series, tenants: pd.Series, zones: Mapping[str, str]) -> pd.DataFrame:
    """The local date of each instant, and the instant its local hour began, in its tenant's zone.

    The hour begins as many minutes ago as the local clock shows: on the day a clock is put back
    the two passes of an hour stay apart.
    """
    zone_names = tenants.map(lambda tenant: zones.get(str(tenant), "UTC"))
    parts = [pd.DataFrame({"date": pd.Series(dtype=object), "hour": pd.Series(dtype=at.dtype)})]
    for zone, instants in at.groupby(zone_names):
        clock = instants.dt.tz_convert(ZoneInfo(str(zone))).dt.tz_localize(None)
        hour = instants - (clock - clock.dt.floor("h"))
        parts.append(pd.DataFrame({"date": clock.dt.date, "hour": hour}))
    return pd.concat([part for part in parts if len(part)] or parts).reindex(at.index)


def _activity(
    messages: Mapping[Id, Message],
    tables: Mapping[str, pd.DataFrame],
    zones: Mapping[str, str],
    rules: Rules,
) -> pd.DataFrame:
    """One row per counted activity: tenant, campaign, contact, channel, metric, date, hour."""
    found: list[tuple[str, str, str, str, str, datetime]] = []
    for message in messages.values():
        keys = (message.tenant_id, message.campaign_id, message.contact_id, message.channel)
        for metric, at in _once(message).items():
            if at is not None:
                found.append((*keys, metric, at))
        for event in message.events:
            found.extend((*keys, metric, event.event_at) for metric in _every_time(event))
    for row in rows_of(tables["inbound_messages"]):
        if not rules.is_possible(row.received_at, row.updated_at):
            continue
        campaign, contact = row.campaign_id or NOBODY, row.contact_id or NOBODY
        keys = (row.tenant_id, campaign, contact, row.channel or NOBODY)
        found.append((*keys, "replies", row.received_at))
    for out in opt_outs(messages, tables, rules):
        found.append((*out[:4], "optouts", out.occurred_at))
        if out.is_suspected_bot:
            found.append((*out[:4], "suspected_bot_optouts", out.occurred_at))
    columns = ["tenant_id", "campaign_id", "contact_id", "channel", "metric", "at"]
    activity = pd.DataFrame(found, columns=pd.Index(columns))
    activity["at"] = pd.to_datetime(activity["at"], utc=True).dt.as_unit("us")
    return activity.join(local_buckets(activity["at"], activity["tenant_id"], zones))


def _once(message: Message) -> dict[str, datetime | None]:
    """When each thing happened that counts once per message."""
    bounced_at = message.first("bounce")
    return {
        "sends": message.sent_at,
        "trackable_sends": message.sent_at if message.is_trackable else None,
        "implied_sends": message.implied_sent_at,
        "failures": message.failed_at,
        "delivered": message.first("delivered"),
        "unique_opens": message.first("open"),
        "unique_human_opens": _first_human_open(message),
        "unique_clicks": message.first("click"),
        "unique_opens_or_clicks": message.first("open", "click"),
        "bounces": bounced_at,
        "hard_bounces": None if message.is_block else bounced_at,
        "blocks": bounced_at if message.is_block else None,
        "drops": message.first("dropped"),
        "complaints": message.first("complaint"),
        "unsubscribes": message.first("unsubscribe"),
    }


def _every_time(event: Any) -> list[str]:
    plural = {"open": "opens", "click": "clicks", "reply": "replies", "resubscribe": "resubscribes"}
    machine = {"open": "machine_opens", "click": "suspected_bot_clicks"}
    return [names[event.kind] for names in (plural, machine) if event.kind in names][
        : 2 if event.is_machine else 1
    ]


def _first_human_open(message: Message) -> datetime | None:
    return min((e.event_at for e in message.of("open") if not e.is_machine), default=None)


def _counted(activity: pd.DataFrame, mart: str, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    keys = KEYS[mart]
    counts = activity.groupby([*keys, "metric"]).size().unstack("metric", fill_value=0)
    counts = counts.reindex(columns=pd.Index(metrics), fill_value=0).astype("int64")
    if mart == "metrics_contact_hourly":
        first = activity.sort_values("date").drop_duplicates(keys).set_index(keys)
        counts.insert(0, "date", first["date"])
    return counts.reset_index()


def _transitions(rows: pd.DataFrame, zones: Mapping[str, str], rules: Rules) -> pd.DataFrame:
    """The transitions without copies, in the order they occurred, with their local date."""
    same = ["tenant_id", "campaign_id", "reason", "occurred_at", "from_status", "to_status"]
    times = zip(rows["occurred_at"], rows["created_at"], strict=True)
    possible = [rules.is_possible(*(None if pd.isna(at) else at for at in pair)) for pair in times]
    rows = rows[pd.Series(possible, index=rows.index, dtype=bool)]
    kept = rows.sort_values(["created_at", "id"]).drop_duplicates(same)
    kept = kept.sort_values(["occurred_at", "created_at", "id"]).reset_index(drop=True)
    return kept.join(local_buckets(kept["occurred_at"], kept["tenant_id"], zones)[["date"]])


def _campaign_daily(activity: pd.DataFrame, transitions: pd.DataFrame) -> pd.DataFrame:
    mart = "metrics_campaign_daily"
    steps = transitions[KEYS[mart]].assign(metric="transitions")
    named = transitions[KEYS[mart]].assign(metric=transitions["to_status"].map(LIFECYCLE))
    everything = pd.concat([activity[[*KEYS[mart], "metric"]], steps, named])
    daily = _counted(everything, mart, [*METRICS, "transitions", *LIFECYCLE.values()])
    history: dict[tuple[str, str], list[tuple[date, str]]] = {}
    for row in rows_of(transitions):
        history.setdefault((row.tenant_id, row.campaign_id), []).append((row.date, row.to_status))
    daily["status_at_close"] = pd.Series(
        [
            next(
                (
                    status
                    for day, status in reversed(history.get((row.tenant_id, row.campaign_id), []))
                    if day <= row.date
                ),
                None,
            )
            for row in rows_of(daily)
        ],
        dtype=object,
    )
    return daily


def _message_facts(messages: Mapping[Id, Message], zones: Mapping[str, str]) -> pd.DataFrame:
    """``metrics_message`` and, for the cohorts, the first open or click of each message."""
    facts = [_fact(message) for message in messages.values()]
    columns = [*COLUMNS["metrics_message"], "first_open_or_click_at", "cohort_at"]
    frame = pd.DataFrame(facts, columns=pd.Index([c for c in columns if c != "date"]))
    for column in [name for name in frame.columns if name.endswith("_at")]:
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("us")
    frame = frame[frame["cohort_at"].notna()].reset_index(drop=True)
    frame["date"] = local_buckets(frame["cohort_at"], frame["tenant_id"], zones)["date"]
    for column in MESSAGE_COUNTS:
        frame[column] = frame[column].astype("int64")
    return frame


def _fact(message: Message) -> dict[str, Any]:
    opens, clicks = message.of("open"), message.of("click")
    once = _once(message)
    activities = [event.event_at for event in message.events]
    first_activity = min([at for at in (*activities, message.failed_at) if at], default=None)
    return {
        "tenant_id": message.tenant_id,
        "message_id": message.id,
        "contact_id": message.contact_id,
        "campaign_id": message.campaign_id,
        "channel": message.channel,
        "sent_at": message.sent_at,
        "implied_sent_at": message.implied_sent_at,
        "failed_at": message.failed_at,
        "first_delivered_at": once["delivered"],
        "first_open_at": once["unique_opens"],
        "first_human_open_at": once["unique_human_opens"],
        "first_click_at": once["unique_clicks"],
        "first_bounce_at": once["bounces"],
        "first_drop_at": once["drops"],
        "first_complaint_at": once["complaints"],
        "first_unsubscribe_at": once["unsubscribes"],
        "first_reply_at": message.first("reply"),
        "deliveries": len(message.of("delivered")),
        "opens": len(opens),
        "human_opens": sum(not event.is_machine for event in opens),
        "clicks": len(clicks),
        "suspected_bot_clicks": sum(event.is_machine for event in clicks),
        "replies": len(message.of("reply")),
        "is_trackable": message.is_trackable,
        "is_hard_bounce": once["hard_bounces"] is not None,
        "first_open_or_click_at": once["unique_opens_or_clicks"],
        "cohort_at": message.sent_at or message.implied_sent_at or first_activity,
    }


def _cohorts(facts: pd.DataFrame, mart: str) -> pd.DataFrame:
    opened_at, clicked_at = facts["first_open_or_click_at"], facts["first_click_at"]
    flags = facts[KEYS[mart]].assign(
        sent=facts["sent_at"].notna(),
        implied_sent=facts["implied_sent_at"].notna(),
        delivered=facts["first_delivered_at"].notna() | opened_at.notna(),
        opened=opened_at.notna(),
        human_opened=facts["first_human_open_at"].notna(),
        clicked=clicked_at.notna(),
        bounced=facts["first_bounce_at"].notna(),
        dropped=facts["first_drop_at"].notna(),
        complained=facts["first_complaint_at"].notna(),
        unsubscribed=facts["first_unsubscribe_at"].notna(),
        replied=facts["first_reply_at"].notna(),
        delivered_strict=facts["first_delivered_at"].notna(),
        opened_strict=facts["first_open_at"].notna(),
    )
    waited_since = facts["sent_at"].fillna(facts["implied_sent_at"])
    firsts = {"opened": opened_at, "clicked": clicked_at, "replied": facts["first_reply_at"]}
    for what, first_at in firsts.items():
        for age, span in AGES.items():
            flags[f"{what}_within_{age}"] = (first_at - waited_since) <= span
    counts = flags.groupby(KEYS[mart])[COHORT_FLAGS].sum().astype("int64")
    return counts[(counts != 0).any(axis=1)].reset_index()
