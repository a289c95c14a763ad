"""A backfill of dates whose source was pruned is refused, unless it is told to shrink them."""

from __future__ import annotations

from tests.cli.conftest import TENANTS, Rollups, query

BACKFILL = ("backfill", "--family", "outreach", "--tenant", "acme")
PRUNE = "delete from dripiq_app.{} where tenant_id = 'acme' and {} < now() - interval '2 days'"
SENDS = "select sum(sends)::int from analytics.metrics_tenant_daily where tenant_id = 'acme'"


def prune(rollups: Rollups) -> None:
    query(rollups.url, PRUNE.format("outbound_messages", "sent_at"))


def test_a_backfill_of_pruned_dates_needs_leave(rollups: Rollups) -> None:
    assert rollups.json(*BACKFILL, "--dry-run")["pruned"] == []
    before = query(rollups.url, SENDS)
    prune(rollups)
    plan = rollups.json(*BACKFILL, "--dry-run")["pruned"]
    assert {tenant for tenant, _, _ in plan} == {"acme"}
    assert len(plan) >= 2

    refused = rollups(*BACKFILL, "--yes")
    assert refused.returncode == 2
    *_, last = refused.stderr.splitlines()
    for words in (f"pruned of {len(plan)} of", f"acme {plan[0][1]}", "--allow-shrink",
                  "ROLLUPS_DELETE_POLICY=freeze", str(sum(rows for *_, rows in plan))):  # fmt: skip
        assert words in last
    assert query(rollups.url, SENDS) == before
    assert query(rollups.url, "select count(*) from ops.pending") == [(0,)]

    rollups.json(*BACKFILL, "--yes", DELETE_POLICY="freeze")
    assert query(rollups.url, SENDS) == before
    rollups.json(*BACKFILL, "--yes", "--allow-shrink")
    assert query(rollups.url, SENDS)[0][0] < before[0][0]
    assert rollups.json("verify", "--family", "outreach")["matches"]


def test_a_gap_in_living_history_is_a_correction(rollups: Rollups) -> None:
    query(
        rollups.url,
        "delete from dripiq_app.outbound_messages where tenant_id = 'acme'"
        " and sent_at between now() - interval '3 days' and now() - interval '2 days'",
    )
    assert rollups.json(*BACKFILL, "--yes")["pruned"] == []
    assert rollups.json("verify", "--family", "outreach")["matches"]


def test_other_tenants_are_not_held_up(rollups: Rollups) -> None:
    prune(rollups)
    others = [word for tenant in TENANTS[1:] for word in ("--tenant", tenant)]
    done = rollups.json("backfill", "--family", "outreach", *others, "--yes")
    assert done["done"] == done["partitions"] > 0
