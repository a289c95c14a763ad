"""The hourly schedule and the sensors."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest

from orchestration.definitions import build_definitions
from orchestration.resources import Warehouse
from tests.dagster.conftest import Location
from tests.outreach.warehouse import OutreachWarehouse

DOWN = "postgresql://nobody@127.0.0.1:9/nowhere"


def tick(location: Location) -> dg.RunRequest | dg.SkipReason:
    schedule = location.defs.resolve_schedule_def("outreach_hourly")
    context = dg.build_schedule_context(
        instance=location.instance, resources={"warehouse": Warehouse()}
    )
    answer = schedule(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def look(
    location: Location, sensor: str, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=location.instance, cursor=cursor, resources={"warehouse": Warehouse()}
    )
    answer = location.defs.resolve_sensor_def(sensor)(context)
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    return answer


def test_schedule_and_sensors_run_by_default(location: Location) -> None:
    repository = location.defs.get_repository_def()
    assert {each.name: each.default_status.value for each in repository.schedule_defs} == {
        "outreach_daily": "RUNNING",
        "outreach_hourly": "RUNNING",
    }
    assert {each.name: each.default_status.value for each in repository.sensor_defs} == {
        "outreach_tenants": "RUNNING",
        "deployed_views": "RUNNING",
        "alerts": "RUNNING",
    }


def test_every_hour_a_run_without_partition_goes_first(location: Location) -> None:
    answer = tick(location)
    assert isinstance(answer, dg.RunRequest)
    assert answer.partition_key is None
    assert answer.tags["dagster/priority"] == "10"


def test_hour_is_skipped_while_the_one_before_is_not_done(location: Location) -> None:
    job = location.defs.resolve_job_def("outreach_refresh")
    location.instance.create_run_for_job(
        job, tags={"dagster/schedule_name": "outreach_hourly"}, status=dg.DagsterRunStatus.STARTED
    )
    answer = tick(location)
    assert isinstance(answer, dg.SkipReason)
    assert "is not done" in str(answer.skip_message)


@pytest.mark.parametrize("state", ["down", "not initialised"])
def test_nothing_starts_on_an_unfit_database(
    state: str, database_url: str, use_database: Callable[[str], None]
) -> None:
    use_database(DOWN if state == "down" else database_url)
    said = "127.0.0.1:9/nowhere" if state == "down" else "run `rollups init` first"
    with dg.instance_for_test() as instance:
        location = Location(instance)
        for answer in (
            tick(location), look(location, "outreach_tenants"), look(location, "deployed_views")
        ):  # fmt: skip
            assert isinstance(answer, dg.SkipReason)
            assert said in str(answer.skip_message)
            assert "\n" not in str(answer.skip_message)


def test_new_tenants_become_partitions_and_none_is_taken_away(
    location: Location, filled: OutreachWarehouse
) -> None:
    location.instance.add_dynamic_partitions("outreach_tenant", ["gone", "birch"])
    filled.add_tenant("dahlia")
    filled.insert("tenants", id="a,b", name="cannot be a key")
    filled.insert("tenants", id="2026...", name="nor this")
    answer = look(location, "outreach_tenants")
    assert isinstance(answer, dg.SensorResult)
    requests = answer.dynamic_partitions_requests or []
    assert [(type(each).__name__, list(each.partition_keys)) for each in requests] == [
        ("AddDynamicPartitionsRequest", ["acme", "cedar", "dahlia"])
    ]

    location.instance.add_dynamic_partitions("outreach_tenant", ["acme", "cedar", "dahlia"])
    answer = look(location, "outreach_tenants")
    assert isinstance(answer, dg.SkipReason)
    assert "2 without rollups" in str(answer.skip_message)


def test_deployed_views_are_marked_once(location: Location, filled: OutreachWarehouse) -> None:
    assert isinstance(look(location, "deployed_views"), dg.SkipReason)
    filled.connection.execute("insert into ops.config values ('deployed_version', 'abc')")
    answer = look(location, "deployed_views")
    assert isinstance(answer, dg.SensorResult)
    marked = {each.asset_key.to_user_string() for each in answer.asset_events}
    assert {"rpt_tenant_daily", "stg_outreach__messages", "machine_rules"} <= marked
    assert "metrics_tenant_daily" not in marked
    assert answer.cursor == "abc"
    assert isinstance(look(location, "deployed_views", "abc"), dg.SkipReason)


def test_definitions_of_two_loads_agree(location: Location) -> None:
    again = build_definitions()
    assert {spec.key for spec in again.resolve_all_asset_specs()} == {
        spec.key for spec in location.defs.resolve_all_asset_specs()
    }
