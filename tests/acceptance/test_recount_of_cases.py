"""The recount that all support tests rely on gives what the cases say, without any database."""

from __future__ import annotations

from pathlib import Path

from tests.support.case_asking import row_key
from tests.support.case_matching import mismatches, only
from tests.support.case_recount import OWN, own_answer
from tests.support.cases import Case, read_cases

# Not made of source rows.
BEYOND_IT = ("timezone_validation",)


def test_the_recount_gives_what_the_cases_say(shared: Path) -> None:
    path = shared / "cases" / "support_examples.json"
    cases = [case for case in read_cases(path) if _is_within_reach(case)]
    assert len(cases) > 40
    wrong = {case.id: lines for case in cases if (lines := _differences(case))}
    assert wrong == {}


def _is_within_reach(case: Case) -> bool:
    is_failure = "inject_failure" in case.query or case.expected_error is not None
    return case.kind in OWN and case.kind not in BEYOND_IT and not is_failure and not case.is_quirk


def _differences(case: Case) -> list[str]:
    expected, own = case.answer, own_answer(case)
    if case.kind == "bot_metrics":
        own |= {rate: own[f"{rate}_truncated"] for rate in ("resolution_rate", "handoff_rate")}
    if case.kind in ("rollup_rows", "backfill") and case.query.get("match") == "exact":
        expected, own = sorted(expected, key=row_key), sorted(own, key=row_key)
    if isinstance(expected, dict) and isinstance(own, dict) and "previous" not in expected:
        own = only(expected, own)
    return mismatches(expected, own)
