"""A backfill shows its plan, can be interrupted at any time, and is finished by whoever comes."""

from __future__ import annotations

import signal
import subprocess
import time
from datetime import date, timedelta

import psycopg

from orchestration.warehouse.backfill import REASON, Budget, cut
from orchestration.warehouse.tenants import Partition
from tests.cli.conftest import TENANTS, Rollups, fingerprint, query

OUTREACH = ("--family", "outreach")
FIRST, LAST = date.today() - timedelta(days=3), date.today() - timedelta(days=2)
DATES = ("--from", FIRST.isoformat(), "--to", LAST.isoformat())

PIECES_DONE = (
    f"select count(*) from ops.refresh where status = 'completed' and trigger = '{REASON}'"
)
LEFT = "select count(*) from ops.pending"


def partitions(**days: int) -> list[Partition]:
    return [
        Partition(tenant, date(2025, 1, 1) + timedelta(days=n))
        for tenant, length in days.items()
        for n in range(length)
    ]


def of(most: int) -> Budget:
    return Budget(partitions=most, rows=1, counted={})


def test_pieces_keep_tenants_whole_where_they_fit() -> None:
    lengths = [[p.tenant_id for p in piece] for piece in cut(partitions(a=2, b=3, c=3), of(5))]
    assert lengths == [["a", "a", "b", "b", "b"], ["c", "c", "c"]]


def test_a_long_tenant_is_cut_into_contiguous_pieces() -> None:
    whole = partitions(a=1, b=7)
    pieces = list(cut(whole, of(3)))
    assert [len(piece) for piece in pieces] == [1, 3, 3, 1]
    assert [partition for piece in pieces for partition in piece] == whole


def test_a_piece_has_no_more_rows_than_allowed() -> None:
    whole = partitions(a=2, b=4, c=1)
    counted = dict.fromkeys(whole, 10) | {whole[3]: 99}
    pieces = cut(whole, Budget(partitions=100, rows=30, counted=counted))
    assert [[counted[partition] for partition in piece] for piece in pieces] == [
        [10, 10], [10], [99], [10, 10, 10]
    ]  # fmt: skip


def test_a_dry_run_shows_the_plan_and_changes_nothing(shared_rollups: Rollups) -> None:
    before = fingerprint(shared_rollups.url)
    plan = shared_rollups.json("backfill", *OUTREACH, *DATES, "--dry-run", BACKFILL_CHUNK="4")
    assert plan["tenants"] == list(TENANTS)
    assert (plan["partitions"], plan["refreshes"], plan["done"]) == (6, 2, 0)
    whole = shared_rollups.json("backfill", *OUTREACH, "--dry-run")
    assert whole["partitions"] > plan["partitions"]
    assert date.fromisoformat(whole["from"]) < FIRST
    assert "dry run" in shared_rollups("backfill", *OUTREACH, "--dry-run").stdout
    assert fingerprint(shared_rollups.url) == before


def test_a_backfill_repairs_its_days_and_no_other(rollups: Rollups) -> None:
    broken = "update analytics.metrics_tenant_daily set sends = 0 where date = %s"
    query(rollups.url, broken, FIRST)
    query(rollups.url, broken, FIRST - timedelta(days=1))
    done = rollups.json("backfill", *OUTREACH, *DATES, "--tenant", "acme", "--yes")
    assert (done["partitions"], done["done"]) == (2, 2)
    report = rollups.json("verify", *OUTREACH, code=1)
    wrong = {(row["tenant_id"], row["date"]) for row in report["differences"]}
    assert ("acme", FIRST.isoformat()) not in wrong
    assert ("birch", FIRST.isoformat()) in wrong
    assert ("acme", (FIRST - timedelta(days=1)).isoformat()) in wrong


def start_and_wait(rollups: Rollups) -> subprocess.Popen[str]:
    """A backfill in three pieces, of which one is done."""
    process = rollups.start("backfill", *OUTREACH, *DATES, "--yes", BACKFILL_CHUNK="2")
    deadline = time.monotonic() + 60
    while query(rollups.url, PIECES_DONE) == [(0,)]:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def test_an_interrupted_backfill_says_what_is_left_and_is_resumed(rollups: Rollups) -> None:
    process = start_and_wait(rollups)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    *_, told, last = errors.splitlines()
    assert last == "rollups: interrupted"
    assert "stay pending" in told
    assert "rollups backfill --family outreach --resume" in told
    left = query(rollups.url, LEFT)[0][0]
    assert 0 < left < 6
    assert f"{left} stay pending" in told
    resumed = rollups.json("backfill", *OUTREACH, "--resume", "--yes")
    assert (resumed["partitions"], resumed["done"]) == (left, left)
    assert query(rollups.url, LEFT) == [(0,)]
    assert rollups.json("backfill", *OUTREACH, "--resume", "--yes")["partitions"] == 0


def test_the_next_refresh_finishes_a_backfill_whose_process_is_gone(rollups: Rollups) -> None:
    with psycopg.connect(rollups.url, autocommit=True) as at_work:
        at_work.execute(
            "select pg_advisory_lock_shared(hashtextextended('rollups backfill outreach', 0))"
        )
        at_work.execute(
            "select ops.note_pending('outreach', array['acme'], 'date', array[%s], %s)",
            [FIRST.isoformat(), REASON],
        )
        refreshed = rollups.json("refresh")["refreshes"][0]
        assert refreshed["had_work"] is False, "left to the backfill while it is there"
    refreshed = rollups.json("refresh")["refreshes"][0]
    assert refreshed["partitions"] == [{"tenant_id": "acme", "date": FIRST.isoformat()}]
    assert query(rollups.url, LEFT) == [(0,)]


def test_a_refresh_passes_between_the_pieces_of_a_backfill(rollups: Rollups) -> None:
    process = start_and_wait(rollups)
    query(
        rollups.url,
        "insert into dripiq_app.message_events"
        " (id, tenant_id, message_id, type, event_at, created_at)"
        " values ('new', 'acme', 'acme_1', 'click', now(), now())",
    )
    refreshed = rollups.json("refresh")["refreshes"][0]
    assert {row["tenant_id"] for row in refreshed["partitions"]} == {"acme"}
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "6 partitions rebuilt" in out
    assert query(rollups.url, LEFT) == [(0,)]
