"""The reconciliation in Dagster: what it says, what it marks, when it runs."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from orchestration.definitions import build_definitions
from orchestration.resources import Warehouse
from tests.dagster.conftest import Location
from tests.outreach.warehouse import OutreachWarehouse

ASSET = dg.AssetKey("outreach_reconciliation")
CHECK = dg.AssetCheckKey(ASSET, "ledger_equals_source")


def reconcile(location: Location, **config: object) -> dg.AssetCheckEvaluation:
    """Run it; the evaluation of its check."""
    ops = {"ops": {"outreach_reconciliation": {"config": config}}} if config else None
    result, said = location.run("outreach_reconcile", run_config=ops)
    assert result.success, said
    evaluations = {each.asset_check_key: each for each in result.get_asset_check_evaluations()}
    assert {key.name for key in evaluations} == {CHECK.name, "quarantine_is_small", "sums_agree"}
    return evaluations[CHECK]


def test_deleted_rows_are_shown_and_the_next_refresh_repairs_them(
    location: Location, filled: OutreachWarehouse
) -> None:
    location.run()
    sound = reconcile(location)
    assert sound.passed
    assert sound.metadata["partitions"].value == "none"
    assert sound.metadata["partitions_compared"].value == 12

    filled.connection.execute("delete from outbound_messages where id = 'birch_2'")
    found = reconcile(location)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.metadata["partitions_differing"].value == 1
    table = str(found.metadata["partitions"].value)
    assert "| birch | 2026-03-11 | message_events | gone | 0 | 2 |" in table
    assert filled.pending() == [("birch", "date", "2026-03-11")]
    event = location.instance.get_latest_materialization_event(ASSET)
    assert event is not None
    assert event.asset_materialization is not None
    numbers = event.asset_materialization.metadata
    assert numbers["partitions_differing"].value == 1
    assert float(str(numbers["seconds"].value)) > 0

    location.run()
    assert filled.differences() == []
    assert reconcile(location).passed


def test_only_the_tenants_asked_for(location: Location, filled: OutreachWarehouse) -> None:
    location.run()
    filled.connection.execute("delete from message_events where id = 'birch_2_o'")
    assert reconcile(location, tenants=["acme"]).passed
    assert not reconcile(location, tenants=["acme", "birch"]).passed
    ops = {"ops": {"outreach_reconciliation": {"config": {"tenants": ["nobody"]}}}}
    result, said = location.run("outreach_reconcile", run_config=ops)
    assert not result.success
    assert "unknown outreach tenant 'nobody'" in said


def test_it_runs_once_a_day_behind_what_waits(location: Location) -> None:
    schedule = location.defs.get_schedule_def("outreach_daily")
    assert schedule.cron_schedule == "30 3 * * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    with dg.build_schedule_context(
        instance=location.instance,
        scheduled_execution_time=datetime(2026, 3, 20, 3, 30, tzinfo=UTC),
        resources={"warehouse": Warehouse()},
    ) as context:
        data = schedule.evaluate_tick(context)
    assert data.run_requests is not None
    (request,) = data.run_requests
    assert int(request.tags["dagster/priority"]) < 0


def test_it_is_an_asset_of_its_own(location: Location) -> None:
    spec = build_definitions().resolve_asset_graph().get(ASSET)
    assert spec.partitions_def is None
    assert spec.group_name == "ledger"
    assert dg.AssetKey("outreach_activity_ledger") in spec.parent_keys
    job = location.defs.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=location.instance, asset_selection=[ASSET]).success
