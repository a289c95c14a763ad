"""Bad rows fail no refresh, disturb nobody, say why, and count once they are put right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.quarantine import outreach_rows, support_rows
from tests.quarantine.rows import BadRow, OddRow
from tests.quarantine.story import Sight, Story

FAMILIES = ("outreach", "support")
BAD = [
    pytest.param(family, row, id=f"{family}-{row.name}")
    for family, rows in zip(FAMILIES, (outreach_rows.BAD_ROWS, support_rows.BAD_ROWS), strict=True)
    for row in rows
]
ODD = [
    pytest.param(family, row, id=f"{family}-{row.name}")
    for family, rows in zip(FAMILIES, (outreach_rows.ODD_ROWS, support_rows.ODD_ROWS), strict=True)
    for row in rows
]


def story_of(request: pytest.FixtureRequest, family: str) -> Story[Any]:
    return request.getfixturevalue(f"{family}_story")


@pytest.mark.parametrize(("family", "row"), BAD)
def test_a_bad_row_is_quarantined_and_counts_once_it_is_put_right(
    request: pytest.FixtureRequest, family: str, row: BadRow[Any]
) -> None:
    story = story_of(request, family)
    own = str(story.tenant_of[row.name])
    where = row.tenant or own
    held = {
        key: count
        for key, count in story.before.quarantine.items()
        if key[0] == where and key[2:] == (row.table, row.reason)
    }
    assert (where, row.date, row.table, row.reason) in held, held
    if where == own:
        assert held == {(where, row.date, row.table, row.reason): 1}
        assert story.before.account(own, row.table)["counted"] == 1
        assert not [key for key in story.after.quarantine if key[0] == own]
    counted_for = own if row.count == 2 else where
    assert story.after.account(counted_for, row.table) == {
        "rows_in": row.count, "counted": row.count, "duplicates": 0, "ignored": 0, "quarantined": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("family", "row"), ODD)
def test_an_odd_row_counts_or_is_a_copy(
    request: pytest.FixtureRequest, family: str, row: OddRow[Any]
) -> None:
    story = story_of(request, family)
    tenant = str(story.tenant_of[row.name])
    assert story.before.account(tenant, row.table) == {
        "rows_in": row.counted + row.duplicates + row.ignored, "counted": row.counted,
        "duplicates": row.duplicates, "ignored": row.ignored, "quarantined": 0,
    }  # fmt: skip
    assert not [key for key in story.before.quarantine if key[0] == tenant]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("moment", ["before", "idle", "after"])
def test_every_row_that_came_in_is_accounted_for(
    request: pytest.FixtureRequest, family: str, moment: str
) -> None:
    sight: Sight = getattr(story_of(request, family), moment)
    assert [line for line in sight.intake if line.unaccounted != 0] == []
    rows_in = dict.fromkeys(sight.source_rows, 0)
    held: dict[tuple[Any, ...], int] = {}
    for line in sight.intake:
        rows_in[line.table] += line.rows_in
    for (tenant, day, table, _), count in sight.quarantine.items():
        held[tenant, day, table] = held.get((tenant, day, table), 0) + count
    assert rows_in == sight.source_rows
    assert held == {
        (line.tenant_id, line.date, line.table): line.quarantined
        for line in sight.intake
        if line.quarantined
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("moment", ["before", "idle", "after"])
def test_the_rollups_are_what_both_recounts_say(
    request: pytest.FixtureRequest, family: str, moment: str
) -> None:
    sight: Sight = getattr(story_of(request, family), moment)
    assert sight.differences == []
    assert sight.verified == []


@pytest.mark.parametrize("family", FAMILIES)
def test_bad_rows_are_no_work_for_ever(request: pytest.FixtureRequest, family: str) -> None:
    story = story_of(request, family)
    assert story.before.pending == []
    assert not story.idle_work
    assert story.idle == story.before
    assert story.after.pending == []


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_left_in_quarantine_when_all_is_put_right(
    request: pytest.FixtureRequest, family: str
) -> None:
    assert story_of(request, family).after.quarantine == {}
