"""Runs in this process: what they refresh, what they mark, what they refuse."""

from __future__ import annotations

import asyncio
from datetime import date, datetime

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.loader import LoadingContextForTest

from orchestration.checks import HEALTH_CHECKS
from tests.dagster.conftest import TENANTS, Location
from tests.outreach.warehouse import OutreachWarehouse

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
ALL_KEYS = {f"2026-03-{day:02}|{tenant}" for day in range(9, 13) for tenant in TENANTS}
TENANT_DAILY = dg.AssetKey("metrics_tenant_daily")
MARKED = (
    "outreach_activity_ledger", "metrics_message", "metrics_contact_hourly",
    "metrics_campaign_daily", "metrics_tenant_daily",
)  # fmt: skip


def refreshes(warehouse: OutreachWarehouse) -> int:
    return warehouse.rows("select count(*) from ops.refresh_log where event = 'started'")[0][0]


def test_run_without_partition_marks_exactly_what_it_rebuilt(
    location: Location, filled: OutreachWarehouse
) -> None:
    result, _ = location.run()
    assert result.success
    assert filled.differences() == []
    for asset in MARKED:
        assert set(location.marks(asset)) == ALL_KEYS, asset
    before = {asset: location.marks(asset) for asset in MARKED}

    late = datetime(2026, 3, 11, 18)
    filled.add_event("birch", "birch_1", "late", "click", late, created_at=datetime.now())
    assert location.run()[0].success
    assert filled.metric("birch", date(2026, 3, 11), "clicks") == 1
    rebuilt = {f"{day}|{tenant}" for tenant, day in last_partitions(filled)}
    assert "2026-03-11|birch" in rebuilt < ALL_KEYS
    for asset in MARKED:
        changed = {key for key, each in location.marks(asset).items() if each != before[asset][key]}
        assert changed == rebuilt, asset

    assert location.run()[0].success
    assert {asset: len(location.marks(asset)) for asset in MARKED} == dict.fromkeys(MARKED, 12)


def last_partitions(warehouse: OutreachWarehouse) -> list[tuple[str, date]]:
    return [
        (tenant, day)
        for tenant, day in warehouse.rows(
            "select tenant_id, date from ops.refresh_partition where refresh_id ="
            " (select refresh_id from ops.refresh order by started_at desc limit 1)"
        )
    ]


def test_marks_carry_numbers_to_plot(location: Location, filled: OutreachWarehouse) -> None:
    location.run()
    mark = location.marks("metrics_tenant_daily")["2026-03-09|acme"]
    assert mark["dagster/partition_row_count"] == 1
    assert mark["rows_changed"] == 12
    assert mark["duration_seconds"] > 0
    assert 0 <= mark["staleness_minutes"] < 5
    assert mark["refresh_id"]
    # A backfill does not look for what is new.
    filled.connection.execute(
        "update ops.watermark set captured_at = captured_at - interval '1 hour'"
    )
    location.run(tags={"dagster/partition": "2026-03-09|acme"})
    mark = location.marks("metrics_tenant_daily")["2026-03-09|acme"]
    assert 60 <= mark["staleness_minutes"] < 65


def test_the_newest_mark_of_a_tenant_shows_its_last_days(
    location: Location, filled: OutreachWarehouse
) -> None:
    location.run()
    for asset in MARKED:
        marks = location.marks(asset)
        shown = {key for key, mark in marks.items() if "preview" in mark}
        assert shown == {f"2026-03-12|{tenant}" for tenant in TENANTS}, asset
        newest = marks["2026-03-12|acme"]
        blocks, _, said = newest["last_days"].partition(" ")
        assert len(blocks) == 14
        assert said.startswith("sends by day, 2026-02-27 to 2026-03-12, at most ")
        head, _, *days = newest["preview"].splitlines()
        assert head.startswith("| date | rows here | sends | delivered | opens |")
        for line in days:
            day, rows, sends = (cell.strip() for cell in line.split("|")[1:4])
            assert int(sends) == filled.metric("acme", date.fromisoformat(day), "sends")
            assert int(rows) == marks[f"{day}|acme"]["dagster/partition_row_count"]
        assert "contact" not in str(newest)


def test_tests_of_dbt_are_evaluated_as_checks(location: Location) -> None:
    location.run()
    checks = location.defs.resolve_asset_graph().asset_check_keys
    # The thorough checks read whole tables, so they go with the daily reconciliation.
    daily = {check.name for check in HEALTH_CHECKS if check.is_thorough}
    keys = {key for key in checks if key.asset_key.path[-1] in MARKED and key.name not in daily}
    summaries = location.instance.event_log_storage.get_latest_asset_check_execution_by_key(
        list(keys)
    )
    assert keys
    assert set(summaries) == keys
    for execution in summaries.values():
        assert execution.status.value == "SUCCEEDED"


def test_checks_show_the_run_that_worked_last_not_the_one_launched_last(
    location: Location,
) -> None:
    """A backfill's runs plan their checks when launched; others may pass those that wait."""
    location.run()
    graph = location.defs.resolve_asset_graph()
    assets = location.defs.resolve_implicit_global_asset_job_def()
    job = assets.get_subset(asset_selection=set(graph.get(TENANT_DAILY).execution_set_asset_keys))
    tags = {"dagster/partition": "2026-03-09|acme"}
    first = location.instance.create_run_for_job(job, tags=tags)
    second = location.instance.create_run_for_job(job, tags=tags)
    for run in (second, first):  # as executed
        assert execute_run(InMemoryJob(job), run, location.instance).success
        (mark,) = location.instance.fetch_materializations(TENANT_DAILY, limit=1).records
        assert mark.run_id == run.run_id
        assert checks_of_latest_mark(location) == {"SUCCEEDED"}


def checks_of_latest_mark(location: Location) -> set[str | None]:
    """The results that the page of tenant-daily's checks shows; none if they seem outdated."""
    graph = location.defs.resolve_asset_graph()
    keys = [key for key in graph.asset_check_keys if key.asset_key == TENANT_DAILY]
    records = location.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    context = LoadingContextForTest(location.instance)

    async def shown() -> set[str | None]:
        return {
            record.status.value if await record.targets_latest_materialization(context) else None
            for record in records.values()
        }

    return asyncio.run(shown())


def test_partitions_of_a_range_are_rebuilt_and_no_others(
    location: Location, filled: OutreachWarehouse
) -> None:
    location.run()
    filled.connection.execute("update analytics.metrics_tenant_daily set sends = 99")
    count = len(location.marks("metrics_tenant_daily"))
    asked = {RANGE_START: "2026-03-10|acme", RANGE_END: "2026-03-11|birch"}
    result, said = location.run(tags=asked)
    assert result.success, said
    right = [
        (tenant, day.day)
        for tenant, day in filled.rows(
            "select tenant_id, date from analytics.metrics_tenant_daily where sends = 1"
            " order by 1, 2"
        )
    ]
    assert right == [("acme", 10), ("acme", 11), ("birch", 10), ("birch", 11)]
    assert len(location.marks("metrics_tenant_daily")) == count


def test_one_chosen_asset_brings_its_family_up_to_date(
    location: Location, filled: OutreachWarehouse
) -> None:
    job = location.defs.resolve_implicit_global_asset_job_def()
    location.instance.add_dynamic_partitions("outreach_tenant", ["acme"])
    result = job.execute_in_process(
        instance=location.instance,
        asset_selection=[dg.AssetKey("metrics_tenant_daily")],
        partition_key="2026-03-10|acme",
    )
    assert result.success
    assert set(location.marks("metrics_contact_hourly")) == {"2026-03-10|acme"}
    assert filled.metric("acme", date(2026, 3, 10), "opens") == 1


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"dagster/partition": "2026-03-10|nobody"}, "unknown outreach tenant 'nobody'"),
        ({"dagster/partition": "1999-03-10|acme"}, "1999-03-10 is outside the partitions"),
        ({"dagster/partition": "acme"}, "partition key 'acme' is not date|tenant"),
        ({"dagster/partition": "2026-03-10|a'; drop table x; --"}, "unknown outreach tenant"),
        (
            {RANGE_START: "2026-03-10|acme", RANGE_END: "2026-03-11|nobody"},
            "unknown outreach tenant 'nobody'",
        ),
        ({RANGE_START: "2026-03-11|acme", RANGE_END: "2026-03-10|acme"}, "swap them"),
        (
            {
                RANGE_START: "2026-03-10|acme",
                RANGE_END: "2026-03-11|acme",
                "dagster/partition/date": "2026-03-10",
                "dagster/partition/tenant": "acme",
            },
            "launch the backfill on an asset",
        ),
    ],
)
def test_refused_run_says_why_in_one_line_and_writes_nothing(
    location: Location, filled: OutreachWarehouse, tags: dict[str, str], said: str
) -> None:
    # Anybody can do this over GraphQL.
    location.instance.add_dynamic_partitions("outreach_tenant", ["acme", "nobody"])
    result, failure = location.run(tags=tags)
    assert not result.success
    assert said in failure
    assert "\n" not in failure.strip()
    assert refreshes(filled) == 0
    run = location.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["dagster/max_retries"] == "0"


def test_rectangle_is_one_run(location: Location, filled: OutreachWarehouse) -> None:
    config = {"first_date": "2026-03-09", "last_date": "2026-03-10", "tenants": ["acme", "cedar"]}
    ops = {"ops": {"outreach_backfill_rectangle": {"config": config}}}
    result, said = location.run("outreach_backfill", run_config=ops)
    assert result.success, said
    assert set(location.marks("metrics_tenant_daily")) == {
        f"2026-03-{day}|{tenant}" for day in ("09", "10") for tenant in ("acme", "cedar")
    }
    assert refreshes(filled) == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"first_date": "2026-03-10", "last_date": "2026-03-09"}, "swap them"),
        ({"first_date": "2026-03-10", "last_date": "10.3.2026"}, "use YYYY-MM-DD"),
        (
            {"first_date": "2026-03-10", "last_date": "2026-03-10", "tenants": ["nobody"]},
            "unknown outreach tenant",
        ),
        ({"first_date": "2006-03-10", "last_date": "2026-03-10"}, "outside the partitions"),
    ],
)
def test_refused_rectangle_writes_nothing(
    location: Location, filled: OutreachWarehouse, config: dict[str, object], said: str
) -> None:
    ops = {"ops": {"outreach_backfill_rectangle": {"config": config}}}
    result, failure = location.run("outreach_backfill", run_config=ops)
    assert not result.success
    assert said in failure
    assert refreshes(filled) == 0


def test_failed_model_fails_the_run_and_leaves_the_work_pending(
    location: Location, filled: OutreachWarehouse
) -> None:
    filled.connection.execute("alter table analytics.metrics_tenant_daily add check (sends < 0)")
    result, failure = location.run()
    assert not result.success
    assert "metrics_tenant_daily" in failure
    assert "the work stays pending" in failure
    assert filled.pending()
    assert location.marks("metrics_tenant_daily") == {}


def test_views_can_be_built_again(location: Location, filled: OutreachWarehouse) -> None:
    filled.connection.execute("drop view analytics.rpt_tenant_daily")
    job = location.defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=location.instance, asset_selection=[dg.AssetKey("rpt_tenant_daily")]
    )
    assert result.success
    assert filled.rows("select to_regclass('analytics.rpt_tenant_daily') is not null") == [(True,)]
