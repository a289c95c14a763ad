"""``rollups report`` and ``rollups bot-metrics``: the same numbers, printed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.reports import Reports
from tests.cli.conftest import Rollups
from tests.reports.conftest import NEW_YORK
from tests.support.warehouse import SupportWarehouse

WINDOW = ("--from", "2025-10-27", "--to", "2025-11-02")
DAYS = ("2025-10-27", "2025-11-03")
ACCOUNT = ("--tenant", "1")
FAMILIES: dict[str, Any] = {"FAMILIES": "support"}


@pytest.fixture
def rollups(helpdesk: SupportWarehouse, test_home: Path) -> Rollups:
    """The command on the small helpdesk."""
    return Rollups(test_home, helpdesk.url)


def test_json_has_the_numbers_of_the_function(rollups: Rollups, reports: Reports) -> None:
    series = rollups.json(
        "report", "timeseries", *ACCOUNT, *WINDOW, "--metric", "avg_resolution_time", **FAMILIES
    )
    expected = reports.timeseries("avg_resolution_time", *DAYS)
    assert [row["value"] for row in series["rows"]] == expected["value"].tolist()
    assert series["rows"][0]["bucket"] == "2025-10-27T00:00:00-04:00"
    assert series["rows"][-1]["bucket"] == "2025-11-02T00:00:00-04:00"
    bots = rollups.json("report", "bots", *ACCOUNT, *WINDOW, **FAMILIES)["rows"][0]
    expected_bots = reports.bot_metrics(*DAYS).iloc[0].to_dict()
    assert {name: bots[name] for name in expected_bots} == expected_bots


def test_csv_and_table_have_the_same_rows(rollups: Rollups, reports: Reports) -> None:
    question = ("report", "summary", *ACCOUNT, *WINDOW, "--dimension", "agent")
    printed = rollups(*question, "--format", "csv", **FAMILIES)
    rows = list(csv.DictReader(io.StringIO(printed.stdout)))
    expected = reports.summary(*DAYS, dimension="agent")
    assert [row["id"] for row in rows] == expected["id"].tolist()
    assert [row["value"] for row in rows] == [
        "" if value is None else str(value)
        for value in expected["value"].astype(object).where(expected["value"].notna(), None)
    ]
    table = rollups(*question, **FAMILIES).stdout
    assert "times in America/New_York" in table
    assert "resolutions_count" in table


def test_an_answer_over_days_that_are_not_complete_says_so(rollups: Rollups) -> None:
    question = ("report", "aggregate", *ACCOUNT, "--metric", "resolutions_count")
    assert rollups.json(*question, *WINDOW, **FAMILIES)["complete"] is True
    assert rollups(*question, *WINDOW, **FAMILIES).stderr == ""
    ahead = ("--from", "2025-10-27", "--to", "2100-01-01")
    assert rollups.json(*question, *ahead, **FAMILIES)["complete"] is False
    for shape in ("table", "csv"):
        ended = rollups(*question, *ahead, "--format", shape, **FAMILIES)
        assert ended.stderr.startswith("not complete: days that have not ended")
        assert "rollups are complete through 20" in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("aggregate", "--metric", "reply_time", *ACCOUNT, *WINDOW),
        ("bot-summary", *ACCOUNT, *WINDOW),
        ("labels", *ACCOUNT, *WINDOW),
        ("channels", *ACCOUNT, *WINDOW),
        ("first-responses", *ACCOUNT, *WINDOW),
        ("matrix", *ACCOUNT, *WINDOW),
        ("drilldown", "--metric", "resolutions_count", "--bucket", "2025-10-28", *ACCOUNT, *WINDOW),
        ("freshness",),
    ],
    ids=lambda command: command[0],
)
def test_every_screen_can_be_printed(rollups: Rollups, command: tuple[str, ...]) -> None:
    assert rollups.json("report", *command, **FAMILIES)["rows"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metric", "nothing", *ACCOUNT, *WINDOW), 'unknown metric "nothing"'),
        (("--metric", "reply_time", "--tenant", "99", *WINDOW), 'tenant "99" not found'),
        (
            ("--metric", "reply_time", *ACCOUNT, "--from", "now", "--to", "2025-11-02"),
            "--from 'now' is neither a date nor an instant",
        ),
        (("--metric", "reply_time", *ACCOUNT, *WINDOW, "--source", "x"), "--source"),
    ],
)
def test_a_wrong_question_is_one_line_and_exit_code_2(
    rollups: Rollups, arguments: tuple[str, ...], message: str
) -> None:
    ended = rollups("report", "aggregate", *arguments, **FAMILIES)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_bot_metrics_diagnose_looks_at_all_accounts(rollups: Rollups) -> None:
    window = ("--from", "2025-10-27", "--to", "2025-11-09")
    found = rollups.json("bot-metrics", "diagnose", *window, **FAMILIES)["accounts"]
    assert [one["account"] for one in found] == ["1", "2", "3"]
    assert found[0]["before"] == {"resolution_rate": 200, "handoff_rate": 80, "sum": 280}
    assert found[0]["after"] == {"resolution_rate": 120, "handoff_rate": 80, "sum": 200}
    assert [sample["conversation_id"] for sample in found[0]["samples"]] == [100, 103, 106, 109]
    text = rollups("bot-metrics", "diagnose", "--account", "1", *window, **FAMILIES).stdout
    assert "200 + 80 = 280" in text
    recent = rollups.json("bot-metrics", "diagnose", "--account", "1", **FAMILIES)["accounts"][0]
    assert recent["before"] is None


def test_diagnose_of_a_metric_names_the_differing_keys(
    own_helpdesk: SupportWarehouse, test_home: Path
) -> None:
    rollups = Rollups(test_home, own_helpdesk.url)
    question = ("bot-metrics", "diagnose", "--metric", "resolutions_count", *WINDOW)
    assert not any(one["differences"] for one in rollups.json(*question, **FAMILIES)["accounts"])
    own_helpdesk.connection.execute(
        "update analytics.reporting_events_rollups set count = count + 1"
        " where account_id = 1 and date = '2025-10-28' and metric = 'resolutions_count'"
        " and dimension_type = 'inbox'"
    )
    ended = rollups(*question, "--json", **FAMILIES)
    assert ended.returncode == 1
    first = json.loads(ended.stdout)["accounts"][0]
    assert first["differences"] == [
        {"date": "2025-10-28", "dimension": "inbox", "id": "12", "raw": 1.0, "rollup": 2.0}
    ]
    text = rollups(*question, **FAMILIES).stdout
    assert "1 key differ" in text
    assert "no rollups for 3: no reporting time zone" in text
    assert NEW_YORK == 1
