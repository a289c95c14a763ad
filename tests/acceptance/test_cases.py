"""The acceptance cases of the support family: ``pytest tests/acceptance --cases FILE``.

Each case is one test. Its rows go into a database of its own in the upstream's tables, the real
refresh (or the backfill, where the case says so) runs, and the public read model is asked.

A case marked as a quirk of the upstream is held against its ``better`` answer; where it has none,
against our own definitions, worked out by the recount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from math import trunc
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestration.settings import Settings
from tests.acceptance.conftest import cases_file
from tests.support.answers import MESSAGE_KINDS
from tests.support.case_asking import ASKED, SOURCED, RefusedError, load, row_key
from tests.support.case_matching import mismatches, only
from tests.support.case_recount import own_answer
from tests.support.case_registry import registry_mismatches
from tests.support.cases import Case, read_cases
from tests.support.periods import GROUPS
from tests.support.warehouse import SupportWarehouse

ROWS_OF_ROLLUPS = ("rollup_rows", "backfill", "live_vs_backfill")
KNOWN_ERRORS = {
    "not_found": "not found",
    "reporting_timezone_required": "reporting_timezone_required",
}
RATES = ("resolution_rate", "handoff_rate")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = cases_file(metafunc.config)
    if "case" in metafunc.fixturenames and path is not None:
        cases = read_cases(path)
        metafunc.parametrize("case", cases, ids=[case.id for case in cases])


@pytest.fixture
def warehouse(
    new_database: Callable[..., str],
    server_url: str,
    support_template: str,
    support_settings: Settings,
) -> Iterator[SupportWarehouse]:
    """A database for one case, dropped at once: a file may have hundreds."""
    url = new_database(support_template)
    with SupportWarehouse(support_settings, url) as warehouse:
        yield warehouse
    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def test_case(case: Case, warehouse: SupportWarehouse) -> None:
    if case.kind not in SOURCED and case.kind not in ASKED:
        pytest.xfail(f"kind {case.kind} is not supported")
    load(warehouse, case)
    differing = {
        source: lines
        for source, answer in _answers(warehouse, case).items()
        if (lines := _differences(case, answer, source))
    }
    if not differing:
        return
    reason = _decided_otherwise(case, differing)
    if reason:
        pytest.xfail(reason)
    pytest.fail(f"{case.data['what']}\n" + "\n".join(f"{s}: {d}" for s, d in differing.items()))


def _answers(warehouse: SupportWarehouse, case: Case) -> dict[str, Any]:
    """Our answer by source; a question that is refused answers with the refusal."""
    if case.kind not in SOURCED:
        return {"": _answer(lambda: ASKED[case.kind](warehouse, case))}
    sources = dict.fromkeys(["raw", *case.query.get("sources", ()), "auto"])
    if case.zone is None:
        # Without a valid zone there are no rollups to be asked.
        sources.pop("rollup", None)
    else:
        warehouse.refresh()
    return {
        source: _answer(lambda source=source: SOURCED[case.kind](warehouse, case, source))
        for source in sources
    }


def _answer(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except RefusedError as refusal:
        return refusal


def _differences(case: Case, answer: Any, source: str) -> list[str]:
    """Where an answer differs from what the case, or failing that our definition, says."""
    if isinstance(answer, RefusedError):
        return [] if _is_refusal_of(case.expected_error, answer) else [f"refused: {answer}"]
    if case.kind == "backfill_range" and case.has_answer and _asks_for_no_days(case.answer):
        return [] if answer is None else [f"expected no days, has {answer}"]
    if case.expected_error is not None:
        return [f"expected the error {case.expected_error}, has {answer!r}"]
    if not case.has_answer:
        own = own_answer(case)
        return mismatches(own, only(own, answer) if isinstance(own, Mapping) else answer)
    expected = case.answer
    if isinstance(expected, Mapping) and set(expected) == {"raw", "rollup"}:
        # They differ upstream; ours are one number, and the rows as they are say which.
        expected = expected["raw"]
    if case.kind == "metric_registry":
        return registry_mismatches(expected, answer)
    return mismatches(*_comparable(case, expected, answer))


def _comparable(case: Case, expected: Any, answer: Any) -> tuple[Any, Any]:
    """Both answers without what the case does not ask for, sets of rows in one order."""
    if case.kind == "bot_metrics":
        answer = answer | {rate: _rate(case, answer, rate) for rate in RATES}
    if case.kind in ROWS_OF_ROLLUPS:
        return _sorted_rows(expected), _sorted_rows(answer)
    if isinstance(expected, Mapping) and isinstance(answer, Mapping):
        if case.kind == "summary" and "previous" not in expected:
            return expected, answer
        return expected, only(expected, answer)
    return expected, answer


def _sorted_rows(view: Any) -> Any:
    """Rollup rows are a set: put them in the order of their keys, wherever they are."""
    if isinstance(view, Mapping):
        return {name: _sorted_rows(part) for name, part in view.items()}
    if not isinstance(view, list):
        return view
    return sorted(view, key=lambda row: row_key(row) if isinstance(row, Mapping) else str(row))


def _rate(case: Case, answer: Mapping[str, Any], rate: str) -> int | Decimal:
    """The upstream's cut integer; where ours is better, the exact rate or that cut."""
    if not case.is_quirk:
        return answer[f"{rate}_truncated"]
    exact = answer[rate]
    return trunc(exact) if isinstance(case.answer.get(rate), int) else exact


def _is_refusal_of(error: str | None, refusal: RefusedError) -> bool:
    """Whether a refusal is the one that a case asks for.

    It says the words of a key that we know; of another key that the question is refused at all.
    """
    if error in KNOWN_ERRORS:
        return KNOWN_ERRORS[error] in str(refusal)
    return error is not None


def _asks_for_no_days(expected: Any) -> bool:
    """Whether there is nothing to backfill: no start, or a reason such as ``no_events``."""
    if not isinstance(expected, Mapping):
        return expected is None
    return not expected.get("start") and str(expected.get("error", "no_")).startswith("no_")


def _decided_otherwise(case: Case, differing: Mapping[str, list[str]]) -> str | None:
    """Why our answer is another one on purpose; each holds for exactly the answer we decided."""
    said = [line for lines in differing.values() for line in lines]
    if case.kind == "timeseries" and case.query.get("group_by") not in GROUPS:
        refused = all("refused" in line and "group" in line and "month" in line for line in said)
        return "an unknown grouping is an error that names the known ones" if refused else None
    if case.kind in SOURCED and not (case.query.get("since") and case.query.get("until")):
        refused = all("refused" in line and "since and until" in line for line in said)
        return "a question without a window is an error, not zeros" if refused else None
    if case.kind != "source_selection":
        return None
    ours_is_rollup = said == [".source: expected 'raw', has 'rollup'"]
    ours_is_raw = said == [".source: expected 'rollup', has 'raw'"]
    metric = case.query.get("metric")
    if ours_is_rollup and metric in ("conversations_count", *MESSAGE_KINDS):
        return f"{metric} is rolled up here and the same number from both sources"
    if ours_is_rollup and case.asked_zone() is None:
        return "a question that names no zone is one in the account's own"
    if ours_is_raw and case.query.get("dimension_type") == "team":
        return "a conversation's team is a current value: a rollup may be older than the rows"
    return None
