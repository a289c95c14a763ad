"""The SQL function, Python and the command line give the same number to the last digit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orchestration.reports import Reports
from tests.cli.conftest import Rollups
from tests.reports.conftest import DAY, HAVANA, MONDAY, NEW_YORK
from tests.support.answers import METRICS
from tests.support.warehouse import SupportWarehouse

QUESTIONS = 6
FAMILIES: dict[str, Any] = {"FAMILIES": "support"}


@pytest.mark.parametrize("seed", range(QUESTIONS))
def test_a_random_question_has_one_answer(
    helpdesk: SupportWarehouse, test_home: Path, seed: int
) -> None:
    random = Random(seed)
    account = random.choice([NEW_YORK, HAVANA])
    since = MONDAY + random.uniform(-1, 6) * DAY
    until = since + timedelta(hours=random.randrange(1, 200))
    dimension = random.choice(["account", "agent", "inbox", "team"])
    member = str(account if dimension == "account" else account * 10 + random.choice([1, 2]))
    metric = random.choice(sorted(METRICS))
    window = tuple(f"{moment.isoformat()}+00:00" for moment in (since, until))

    def sql(source: str) -> list[tuple[Any, ...]]:
        return helpdesk.rows(
            "select value, count from report.aggregate(%s, %s, %s, %s, %s, %s, source => %s)",
            str(account), metric, *window, dimension, member, source,
        )  # fmt: skip

    (answer,) = sql("auto")
    assert sql("raw") == sql("rollup") == [answer]

    frame = Reports(helpdesk.connection, account).aggregate(
        metric, *window, dimension=dimension, id=member
    )
    shown = frame[["value", "count"]].astype(object)
    assert tuple(shown.where(frame[["value", "count"]].notna(), None).iloc[0]) == answer

    printed = Rollups(test_home, helpdesk.url).json(
        "report", "aggregate", "--tenant", str(account), "--metric", metric,
        "--from", window[0], "--to", window[1], "--dimension", dimension, "--id", member,
        **FAMILIES,
    )["rows"][0]  # fmt: skip
    assert (printed["value"], printed["count"]) == answer
