"""What an analyst finds in schema ``analytics``: as the contract says, and right."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from orchestration.dbt_runner import dbt_project
from orchestration.embedded.demo_data import create_source_tables
from orchestration.reports import Reports
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.bootstrap import initialise
from scripts.public_schema import mark
from scripts.semantic_layer import SUBJECTS, Subject
from tests.outreach.database import fill
from tests.outreach.random_source import ZONES as OUTREACH_ZONES
from tests.outreach.random_source import RandomOutreach
from tests.outreach.recount import read_staging_seeds, recount
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.public.metricflow import SemanticLayer
from tests.support.random import ZONES as SUPPORT_ZONES
from tests.support.random import RandomSupport
from tests.support.warehouse import SupportWarehouse, create_source

pytestmark = pytest.mark.slow

CONTRACT = json.loads((PROJECT_ROOT / "docs" / "public-schema.json").read_text(encoding="utf-8"))
DAY = timedelta(days=1)
ACCOUNTS = [str(number) for number in range(1, len(SUPPORT_ZONES) + 1)]


class Analyst(NamedTuple):
    """A session of the read-only role, the metrics, and the source for a recount."""

    connection: psycopg.Connection[Any]
    metrics: SemanticLayer
    outreach: OutreachWarehouse

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), parameters or None).fetchall()

    def records(self, relation: str) -> list[dict[str, Any]]:
        query = sql.SQL("select * from {}").format(sql.Identifier("analytics", relation))
        cursor = self.connection.execute(query)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def analyst(new_database: Callable[..., str], test_home: Any) -> Iterator[Analyst]:
    """Both families with random sources, refreshed once; no test may change it."""
    settings, url = Settings(home=test_home), new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        create_source_tables(connection, SCHEMA)
        create_source(connection)
    initialise(settings, url)
    with OutreachWarehouse(settings, url) as outreach, SupportWarehouse(settings, url) as support:
        fill_outreach(outreach)
        fill_support(support)
        outreach.refresh()
        support.refresh()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("set role rollups_reader")
            manifest = dbt_project(settings).semantic_manifest_path
            yield Analyst(connection, SemanticLayer(manifest, connection), outreach)


def fill_outreach(warehouse: OutreachWarehouse) -> None:
    for table, rows in RandomOutreach(3, messages=300).rows.items():
        fill(warehouse.connection, SCHEMA, table, rows)
    for tenant, zone in OUTREACH_ZONES.items():
        warehouse.set_timezone(tenant, zone)


def fill_support(warehouse: SupportWarehouse) -> None:
    random = RandomSupport(warehouse, Random(5))
    for zone in SUPPORT_ZONES:
        account = random.add_account(zone)
        for _ in range(30):
            random.add_conversation(account)
        for _ in range(80):
            random.add_event(account)
        for _ in range(40):
            random.add_message(account)


# The contract ----------------------------------------------------------------------------------


def test_a_reader_finds_just_what_the_contract_lists(analyst: Analyst) -> None:
    found: dict[str, dict[str, tuple[str, bool]]] = defaultdict(dict)
    for relation, column, kind, not_null in analyst.rows(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = 'analytics'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')"
        " and a.attnum > 0 and not a.attisdropped and has_table_privilege(c.oid, 'select')"
        " order by c.relname, a.attnum"
    ):
        found[relation][column] = (kind, not_null)
    assert found == {
        name: {
            column: (of["type"].replace(", ", ","), of["not_null"])
            for column, of in relation["columns"].items()
        }
        for name, relation in CONTRACT.items()
    }
    assert [list(columns) for _, columns in sorted(found.items())] == [
        list(relation["columns"]) for _, relation in sorted(CONTRACT.items())
    ]


def test_every_table_and_column_says_what_it_is(analyst: Analyst) -> None:
    comments: dict[str, dict[str | None, str | None]] = defaultdict(dict)
    for relation, column, comment in analyst.rows(
        "select c.relname, a.attname, col_description(c.oid, a.attnum)"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relnamespace = 'analytics'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')"
        " union all select relname, null, obj_description(oid) from pg_class"
        " where relnamespace = 'analytics'::regnamespace and relkind in ('r', 'p', 'v', 'm')"
    ):
        comments[relation][column] = comment
    for name, relation in CONTRACT.items():
        assert str(comments[name].pop(None)).startswith("One row per "), name
        for column, of in relation["columns"].items():
            said = mark(comments[name][column] or "")
            assert {what: said[what] for what in ("unit", "clock", "adds_up")}.items() <= of.items()


def test_tables_have_their_keys_and_views_no_row_twice(analyst: Analyst) -> None:
    keys = dict(
        analyst.rows(
            "select c.relname, array_agg(a.attname::text order by k.place)"
            " from pg_index as i join pg_class as c on c.oid = i.indrelid"
            " cross join unnest(i.indkey::int[]) with ordinality as k (attnum, place)"
            " join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum"
            " where i.indisprimary and c.relnamespace = 'analytics'::regnamespace group by 1"
        )
    )
    for name, relation in CONTRACT.items():
        if relation["kind"] == "table":
            assert keys.pop(name) == relation["key"]
        rows = [tuple(row[column] for column in relation["key"]) for row in analyst.records(name)]
        assert len(rows) == len(set(rows)) > 0, name
    assert keys == {}


def test_no_number_is_infinite_or_none_at_all(analyst: Analyst) -> None:
    for name, relation in CONTRACT.items():
        for column, of in relation["columns"].items():
            if of["type"].startswith(("numeric", "double")):
                query = sql.SQL("select {0} from {1} where {0} in ('NaN', 'Infinity', '-Infinity')")
                statement = query.format(sql.Identifier(column), sql.Identifier("analytics", name))
                assert analyst.connection.execute(statement).fetchall() == [], f"{name}.{column}"


# The support views -----------------------------------------------------------------------------

EVENTS = {
    "conversations_count": "conversations_count",
    "incoming_messages_count": "incoming_messages_count",
    "outgoing_messages_count": "outgoing_messages_count",
    "resolutions_count": "resolutions_count",
    "bot_resolutions_count": "bot_resolutions_count",
    "bot_handoffs_count": "bot_handoffs_count",
    "avg_first_response_time": "avg_first_response_time",
    "avg_resolution_time": "avg_resolution_time",
    "avg_reply_time": "reply_time",
}


@pytest.mark.parametrize("dimension", ["account", "agent", "inbox", "team"])
def test_a_support_view_says_of_a_day_what_a_report_says(analyst: Analyst, dimension: str) -> None:
    name = "tenant_name" if dimension == "account" else f"{dimension}_name"
    records = analyst.records(f"rpt_support_{dimension}_daily")
    known = [record for record in records if record[name] is not None]
    for record in Random(dimension).sample(known, 8):
        reports = Reports(analyst.connection, record["tenant_id"])
        day, entity = record["date"], record[f"{dimension}_id"]
        for column, metric in EVENTS.items():
            for hours in ("", "_business_hours") if column.startswith("avg_") else ("",):
                if column + hours not in record:
                    continue
                answer = reports.aggregate(
                    metric, day, day + DAY, dimension, entity,
                    business_hours=bool(hours), source="rollup",
                )  # fmt: skip
                value = answer.astype(object)["value"][0]
                shown = record[column + hours]
                if shown is None:
                    assert pd.isna(value), (column, record)
                else:
                    assert float(shown) == pytest.approx(value, rel=1e-9, abs=1e-9), (
                        column,
                        record,
                    )


@pytest.mark.parametrize("account", ACCOUNTS)
def test_days_of_bots_add_up_to_all_of_history(analyst: Analyst, account: str) -> None:
    (of_days,) = analyst.rows(
        "select sum(conversations_count), sum(bot_resolved_count), sum(bot_handed_off_count)"
        " from analytics.rpt_support_bot_daily where tenant_id = %s",
        account,
    )
    (of_report,) = analyst.rows(
        "select * from report.bot_metrics(%s, '2020-01-01Z', '2030-01-01Z', source => 'rollup')",
        account,
    )
    assert of_days == (of_report[0], of_report[4], of_report[5])
    assert of_days[0] > 0


# The semantic layer ----------------------------------------------------------------------------


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def week_of(day: date) -> date:
    return day - DAY * (day.isoweekday() % 7)


def test_weekly_sends_and_open_rate_are_the_same_from_everywhere(analyst: Analyst) -> None:
    asked = analyst.metrics.query(["sends", "open_rate"], ["tenant", "metric_time__reporting_week"])
    layer = {
        (row["tenant"], row["metric_time__reporting_week"]): (row["sends"], row["open_rate"])
        for row in asked
    }
    columns = ("sends", "unique_opens", "delivered")

    def by_week(rows: list[dict[str, Any]]) -> dict[tuple[str, date], tuple[int, float | None]]:
        sums: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in rows:
            of = sums[row["tenant_id"], week_of(row["date"])]
            of[:] = [have + row[column] for have, column in zip(of, columns, strict=True)]
        return {key: (s, opens / of if of else None) for key, (s, opens, of) in sums.items()}

    view = by_week(analyst.records("rpt_tenant_daily"))
    own = recount(
        analyst.outreach.connection, SCHEMA, OUTREACH_ZONES,
        seeds=read_staging_seeds(analyst.outreach.connection),
    )["metrics_tenant_daily"]  # fmt: skip
    expected = {key: pytest.approx(of) for key, of in by_week(records_of(own)).items()}
    assert layer == view == expected
    assert any(of[0] > 1 and of[1] for of in view.values())
    first, last = min(week for _, week in view), max(week for _, week in view)
    for tenant in {tenant for tenant, _ in view}:
        reports = Reports(analyst.connection, tenant)
        for number, metric in enumerate(("sends", "open_rate")):
            weeks = reports.timeseries(metric, first, last + 7 * DAY, "week")
            series = dict(zip(pd.DatetimeIndex(weeks.index).date, weeks["value"], strict=True))
            for (of, week), values in view.items():
                if of == tenant and values[number] is not None:
                    assert float(series[week]) == pytest.approx(values[number])


def names_of_keys(subject: Subject) -> dict[str, str]:
    """The key of a view as the semantic layer calls it; it knows days, but no hours."""
    key = dict.fromkeys([*CONTRACT[subject.view]["key"], "date"])
    names = {"date": "metric_time__day", "channel": f"{subject.name}__channel"}
    if subject.family == "support":
        names |= {"tenant_id": "account"}
    return {c: names.get(c, c.removesuffix("_id")) for c in key if c != "hour"}


@pytest.mark.parametrize("subject", SUBJECTS, ids=[subject.name for subject in SUBJECTS])
def test_every_metric_at_the_grain_of_its_view_is_the_view(
    analyst: Analyst, subject: Subject
) -> None:
    columns, keys = CONTRACT[subject.view]["columns"], names_of_keys(subject)
    named = {column: subject.prefix + column.removeprefix(subject.prefix) for column in columns}
    metrics = set(analyst.metrics.metrics_of(subject.name))
    for column, of in columns.items():
        is_metric = of["adds_up"] in ("additive", "ratio")
        assert (named[column] in metrics) is is_metric, column
    # At a coarser grain than the view's, only what adds up can be held against it.
    coarser = "hour" in CONTRACT[subject.view]["key"]
    wanted = [
        column
        for column, of in columns.items()
        if of["adds_up"] == "additive" or (of["adds_up"] == "ratio" and not coarser)
    ]

    expected: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in analyst.records(subject.view):
        of = expected.setdefault(tuple(str(row[key]) for key in keys), dict.fromkeys(wanted))
        for name in wanted:
            of[name] = row[name] if of[name] is None else of[name] + row[name]
    asked = analyst.metrics.query([named[name] for name in wanted], list(keys.values()))
    assert len(asked) == len(expected) > 0
    for row in asked:
        row["metric_time__day"] = row["metric_time__day"].date()
        of = expected[tuple(str(row[name]) for name in keys.values())]
        for name in wanted:
            exact = of[name] if of[name] is None else float(of[name])
            value = row[named[name]] if exact is None else float(row[named[name]])
            assert value == (
                exact if exact is None else pytest.approx(exact, rel=1e-9, abs=1e-9)
            ), name
