"""Checks of health: each finds what it is for, names the tenants, and is silent otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta

import dagster as dg
import pytest
from psycopg import sql

from orchestration.checks import HEALTH_CHECKS, evaluate_health
from orchestration.resources import Warehouse
from tests.dagster.conftest import Location
from tests.outreach.warehouse import OutreachWarehouse

NOW = datetime.now().replace(microsecond=0)
THOROUGH = ("quarantine_is_small", "sums_agree")
TRACKED = "A" * 22


def outcome(check: str) -> tuple[bool, str | None, str]:
    """Whether a check passes now, else how bad it is, and what it says of whom."""
    evaluations = evaluate_health(Warehouse(), "outreach", is_thorough=check in THOROUGH)
    (evaluation,) = [each for each in evaluations if each.check_name == check]
    if evaluation.passed:
        assert evaluation.metadata["tenants"].value == "none"
        return True, None, ""
    return False, evaluation.severity.value, str(evaluation.metadata["tenants"].value)


def add_messages(warehouse: OutreachWarehouse, number: int, age: timedelta, *kinds: str) -> None:
    """Messages of acme of a known provider, each with these events an hour later."""
    for n in range(number):
        at = NOW - age + timedelta(seconds=n)
        message = f"acme_{age.total_seconds():.0f}_{'_'.join(kinds)}_{n}"
        warehouse.add_message(
            "acme", "acme_contact", message, at, provider_message_id=TRACKED, updated_at=NOW
        )
        for kind in kinds:
            warehouse.add_event(
                "acme", message, f"{message}_{kind}", kind, at + timedelta(hours=1), created_at=NOW
            )


def test_all_is_well_after_a_refresh(location: Location) -> None:
    result, said = location.run()
    assert result.success, said
    for check in HEALTH_CHECKS:
        if check.family != "support":
            assert outcome(check.name) == (True, None, ""), check.name


def test_a_tenant_without_rollups(location: Location, filled: OutreachWarehouse) -> None:
    location.run()
    filled.insert("tenants", id="a|b", name="Bad")
    passed, severity, who = outcome("every_tenant_has_rollups")
    assert (passed, severity) == (False, "WARN")
    assert "a\\|b" in who


@pytest.mark.parametrize(("hours", "severity"), [(3, "WARN"), (30, "ERROR")])
def test_an_old_tenant(
    hours: int, severity: str, location: Location, filled: OutreachWarehouse
) -> None:
    location.run()
    filled.connection.execute(
        "insert into ops.pending (family, tenant_id, grain, key, reason, noted_at)"
        " values ('outreach', 'birch', 'message', 'x', 'new rows', now() - %s)",
        [timedelta(hours=hours)],
    )
    passed, found, who = outcome("tenants_are_fresh")
    assert (passed, found) == (False, severity)
    assert "| birch |" in who
    assert "acme" not in who


def test_complaints(location: Location, filled: OutreachWarehouse) -> None:
    add_messages(filled, 1_000, timedelta(days=5), "delivered")
    add_messages(filled, 2, timedelta(days=4), "delivered", "spamreport")
    location.run()
    assert outcome("complaints_are_few")[0], "two people are no rate"
    add_messages(filled, 1, timedelta(days=3), "delivered", "spamreport")
    location.run()
    assert outcome("complaints_are_few")[1] == "WARN"
    add_messages(filled, 1, timedelta(days=2), "delivered", "spamreport")
    location.run()
    _, severity, who = outcome("complaints_are_few")
    assert severity == "ERROR"
    assert "| acme | error | 4 complaints about 1004 delivered messages" in who


def test_opens_without_deliveries(location: Location, filled: OutreachWarehouse) -> None:
    add_messages(filled, 5, timedelta(days=5), "open")
    location.run()
    assert outcome("open_rate_is_possible")[1] == "WARN"
    add_messages(filled, 5, timedelta(days=4), "delivered")
    location.run()
    assert outcome("open_rate_is_possible")[0]


def test_messages_nobody_reports_of(location: Location, filled: OutreachWarehouse) -> None:
    add_messages(filled, 30, timedelta(hours=12))
    add_messages(filled, 19, timedelta(days=2))
    location.run()
    assert outcome("sends_have_outcomes")[0], "young ones may yet be reported"
    add_messages(filled, 60, timedelta(hours=50), "delivered")
    add_messages(filled, 1, timedelta(hours=40))
    location.run()
    _, severity, who = outcome("sends_have_outcomes")
    assert severity == "WARN"
    assert "20 of 80 messages" in who
    filled.connection.execute("delete from message_events where created_at = %s", [NOW])
    filled.backfill(["acme"], (NOW - timedelta(days=4)).date(), NOW.date())
    assert outcome("sends_have_outcomes")[1] == "ERROR"


def test_much_in_quarantine(location: Location, filled: OutreachWarehouse) -> None:
    add_messages(filled, 100, timedelta(days=2), "delivered")
    add_messages(filled, 9, timedelta(days=3), "nonsense")
    location.run()
    assert outcome("quarantine_is_small")[0]
    add_messages(filled, 3, timedelta(days=4), "nonsense")
    location.run()
    _, severity, who = outcome("quarantine_is_small")
    assert severity == "WARN"
    assert "12 of 224 rows" in who
    add_messages(filled, 30, timedelta(days=2), "nonsense")
    location.run()
    assert outcome("quarantine_is_small")[1] == "ERROR"


@pytest.mark.parametrize(
    "table", ["metrics_contact_hourly", "metrics_campaign_daily", "metrics_tenant_daily"]
)
def test_grains_that_differ(table: str, location: Location, filled: OutreachWarehouse) -> None:
    location.run()
    filled.connection.execute(
        sql.SQL(
            "update {} set clicks = clicks + 1 where tenant_id = 'cedar' and date = '2026-03-10'"
        ).format(sql.Identifier("analytics", table))
    )
    _, severity, who = outcome("sums_agree")
    assert severity == "ERROR"
    assert "| cedar | error | contacts, campaigns and tenant differ on 1 days" in who
    assert "acme" not in who


def test_refresh_reconciliation_and_people_evaluate_them(
    location: Location, filled: OutreachWarehouse
) -> None:
    quick = {check.name for check in HEALTH_CHECKS if not check.is_thorough} - {
        "durations_are_possible"
    }
    location.run()
    assert evaluated(location) == quick
    location.run("outreach_reconcile")
    assert evaluated(location) == quick | set(THOROUGH)

    filled.connection.execute("update analytics.metrics_tenant_daily set sends = 99")
    key = dg.AssetCheckKey(dg.AssetKey("outreach_reconciliation"), "sums_agree")
    checks = location.defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection={key}
    )
    result = checks.execute_in_process(instance=location.instance, raise_on_error=False)
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.check_name == "sums_agree"
    assert not evaluation.passed
    assert evaluation.description is not None
    assert evaluation.description.startswith("acme: contacts")


def evaluated(location: Location) -> set[str]:
    keys = [dg.AssetCheckKey(check.asset("outreach"), check.name) for check in HEALTH_CHECKS]
    storage = location.instance.event_log_storage
    return {key.name for key in storage.get_latest_asset_check_execution_by_key(keys)}
