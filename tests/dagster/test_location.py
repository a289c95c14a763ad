"""The code location: what Dagster shows of the dbt project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dagster_environment import storage_url
from orchestration.definitions import build_definitions
from orchestration.partitions import MAX_PARTITIONS, last_date, rolling_start
from orchestration.settings import PROJECT_ROOT
from tests.dagster.conftest import Location

ROLLUPS = ("metrics_contact_hourly", "metrics_campaign_daily", "metrics_tenant_daily")


@pytest.fixture
def specs(location: Location) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in location.defs.resolve_all_asset_specs()}


def test_rollups_are_partitioned_by_date_and_tenant(specs: dict[str, dg.AssetSpec]) -> None:
    for name in ROLLUPS:
        partitions = specs[name].partitions_def
        assert isinstance(partitions, dg.MultiPartitionsDefinition)
        assert partitions.partition_dimension_names == ["date", "tenant"]


def test_dates_run_from_the_first_in_the_source_to_today_anywhere(
    specs: dict[str, dg.AssetSpec],
) -> None:
    partitions = specs["metrics_tenant_daily"].partitions_def
    assert isinstance(partitions, dg.MultiPartitionsDefinition)
    dates = partitions.get_partitions_def_for_dimension("date").get_partition_keys()
    assert (dates[0], dates[-1]) == ("2026-03-08", last_date().isoformat())


def test_lineage_goes_down_to_described_source_tables(specs: dict[str, dg.AssetSpec]) -> None:
    def upstream(name: str) -> set[str]:
        direct = {dep.asset_key.to_user_string() for dep in specs[name].deps}
        return direct.union(*map(upstream, direct))

    sources = {name for name in upstream("metrics_tenant_daily") if "/" in name}
    assert {"outreach/message_events", "outreach/outbound_messages"} <= sources
    assert all(specs[name].description for name in sources)


def test_groups_follow_the_folders_and_plumbing_is_hidden(
    specs: dict[str, dg.AssetSpec],
) -> None:
    groups = {spec.group_name for spec in specs.values()}
    assert groups == {"sources", "staging", "ledger", "marts", "reporting"}
    assert "outreach_scope_subjects" not in specs
    assert not any(name.startswith("ops/") for name in specs)


def test_every_public_relation_is_an_asset(specs: dict[str, dg.AssetSpec]) -> None:
    contract = json.loads((PROJECT_ROOT / "docs" / "public-schema.json").read_text("utf-8"))
    of_support = ("rpt_support", "reporting_events", "conversations")
    assert {name for name in contract if not name.startswith(of_support)} <= set(specs)
    assert specs["calendar"].group_name == "reporting"


def test_columns_and_tests_come_with_the_assets(
    location: Location, specs: dict[str, dg.AssetSpec]
) -> None:
    schema = specs["metrics_tenant_daily"].metadata["dagster/column_schema"]
    assert all(column.description for column in schema.columns)
    assert location.defs.resolve_asset_graph().asset_check_keys


def test_location_loads_without_a_database(
    use_database: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    use_database("postgresql://nobody@127.0.0.1:9/nowhere")
    definitions = build_definitions()
    assert definitions.resolve_job_def("outreach_refresh")
    assert "first date in the source is unknown" in caplog.text


def test_definitions_validate_without_a_database(test_home: Path, tmp_path: Path) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ROLLUPS_", "PG", "DAGSTER_"))
    }
    environment |= {
        "ROLLUPS_HOME": str(test_home),
        "ROLLUPS_FAMILIES": "outreach",
        "ROLLUPS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nowhere",
        "DAGSTER_HOME": str(tmp_path),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    outcome = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    assert "Validation successful" in outcome.stdout + outcome.stderr


def test_start_rolls_when_there_would_be_too_many_partitions() -> None:
    first = date(2004, 4, 15)
    assert rolling_start(first, 3) == first
    start = rolling_start(first, 1000)
    assert ((last_date() - start).days + 1) * 1000 == pytest.approx(MAX_PARTITIONS, rel=0.02)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://me:p%40ss%3Aw@db.example.com:5433/d?sslmode=require",
            "//me:p%40ss%3Aw@db.example.com:5433/d?options=-c+search_path%3Ddagster&sslmode=require",
        ),
        (
            "postgresql://me@/d?host=/run/postgresql",
            "//me@/d?host=%2Frun%2Fpostgresql&options=-c+search_path%3Ddagster",
        ),
    ],
)
def test_storage_url_keeps_every_part_of_the_database_url(url: str, expected: str) -> None:
    assert storage_url(url) == "postgresql+psycopg2:" + expected
