"""`rollups quarantine`: what is set aside and why, and whether every row is accounted for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Rollups, query
from tests.outreach.warehouse import SCHEMA

NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
TODAY = NOW.date()
LONG_AGO = date(1999, 12, 31)
EVENTS, MESSAGES = "message_events", "outbound_messages"

ACME = [
    ("acme", EVENTS, "before_min_event_date", 1),
    ("acme", EVENTS, "unknown_type", 2),
]
BIRCH = [("birch", EVENTS, "too_far_in_future", 1)]
GHOST = [("ghost", MESSAGES, "unknown_tenant", 1)]


def add_event(
    rollups: Rollups, tenant: str, event_id: str, kind: str, at: datetime | date = NOW
) -> None:
    query(
        rollups.url,
        f"insert into {SCHEMA}.message_events (id, tenant_id, message_id, type, event_at,"
        " created_at) values (%s, %s, %s, %s, %s, %s)",
        event_id, tenant, f"{tenant}_1", kind, at, NOW,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sloppy(new_database: Callable[..., str], refreshed_template: str, test_home: Path) -> Rollups:
    """The command on a refreshed warehouse with bad rows; no test may change it."""
    rollups = Rollups(test_home, new_database(refreshed_template))
    add_event(rollups, "acme", "odd1", "surprise")
    add_event(rollups, "acme", "odd2", "surprise")
    add_event(rollups, "acme", "old", "open", LONG_AGO)
    add_event(rollups, "birch", "early", "open", NOW + timedelta(days=9))
    query(
        rollups.url,
        f"alter table {SCHEMA}.{MESSAGES}"
        " drop constraint outbound_messages_tenant_id_tenants_id_fk",
    )
    query(
        rollups.url,
        f"insert into {SCHEMA}.{MESSAGES} (id, tenant_id, campaign_id, contact_id, channel,"
        " dedupe_key, state, sent_at, updated_at)"
        " select 'lost', 'ghost', campaign_id, contact_id, channel, 'lost', state, %s, %s"
        f" from {SCHEMA}.{MESSAGES} where id = 'acme_1'",
        NOW, NOW,
    )  # fmt: skip
    ended = rollups("refresh")
    assert ended.returncode == 0, ended.stderr
    return rollups


def held(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    for row in rows:
        # What cannot be dated by itself is filed by the day it came in.
        assert (row["family"], row["date"]) == ("outreach", TODAY.isoformat())
    return [
        (row["tenant_id"], row["source_table"], row["reason"], row["row_count"]) for row in rows
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [*ACME, *BIRCH, *GHOST]),
        (("--family", "outreach"), [*ACME, *BIRCH, *GHOST]),
        (("--tenant", "acme"), ACME),
        (("--account", "birch"), BIRCH),
        (("--tenant", "birch", "--tenant", "acme"), [*ACME, *BIRCH]),
        (("--tenant", "cedar"), []),
        # in quarantine because the source does not know it
        (("--tenant", "ghost"), GHOST),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_what_is_set_aside_of_whom(
    sloppy: Rollups, arguments: tuple[str, ...], expected: list[tuple[Any, ...]]
) -> None:
    document = sloppy.json("quarantine", *arguments)
    assert list(document) == ["quarantine"]
    assert held(document["quarantine"]) == expected


def test_a_person_sees_a_table_and_where_the_cures_are(sloppy: Rollups) -> None:
    ended = sloppy("quarantine", "--tenant", "acme")
    assert (ended.returncode, ended.stderr) == (0, "")
    header, *rows, cures = [line.split() for line in ended.stdout.splitlines() if line.strip()]
    assert header == ["family", "tenant", "date", "table", "reason", "rows"]
    found = [row for row in rows if row[0] == "outreach"]
    today = TODAY.isoformat()
    assert found == [
        ["outreach", "acme", today, EVENTS, "before_min_event_date", "1"],
        ["outreach", "acme", today, EVENTS, "unknown_type", "2"],
    ]
    assert "docs/quarantine.md" in cures
    nothing = sloppy("quarantine", "--tenant", "cedar")
    assert nothing.stdout.strip() == "nothing is in quarantine"


def test_every_row_that_came_in_is_in_the_account(sloppy: Rollups) -> None:
    document = sloppy.json("quarantine", "--intake")
    accounts = document["intake"]
    for account in accounts:
        assert account["unaccounted"] == 0
        assert account["rows_in"] == sum(
            account[name] for name in ("counted", "duplicates", "ignored", "quarantined")
        )
    for table in (EVENTS, MESSAGES):
        ((rows,),) = query(sloppy.url, f"select count(*) from {SCHEMA}.{table}")
        assert rows == sum(a["rows_in"] for a in accounts if a["source_table"] == table)
    quarantined = sum(account["quarantined"] for account in accounts)
    assert quarantined == sum(row["row_count"] for row in document["quarantine"]) == 5
    of_birch = sloppy.json("quarantine", "--intake", "--tenant", "birch")["intake"]
    assert of_birch == [account for account in accounts if account["tenant_id"] == "birch"]
    assert "every row is accounted for" in sloppy("quarantine", "--intake").stdout


def test_rows_that_no_refresh_has_seen_are_said_to_be_unaccounted_for(rollups: Rollups) -> None:
    add_event(rollups, "acme", "new", "open")
    said = rollups("quarantine", "--intake", "--tenant", "acme").stdout
    assert "1 row unaccounted for: rollups refresh, then look again" in said
    assert rollups("refresh").returncode == 0
    said = rollups("quarantine", "--intake", "--tenant", "acme").stdout
    assert "every row is accounted for" in said
