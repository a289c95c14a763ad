"""The code location loaded in this process, on a warehouse of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import build_definitions
from orchestration.settings import load_settings
from tests.outreach.warehouse import OutreachWarehouse

DAY = datetime(2026, 3, 10, 12)
TENANTS = ("acme", "birch", "cedar")


def fill(warehouse: OutreachWarehouse) -> None:
    """Three tenants with a message on each day from 9 to 12 March 2026, delivered and opened."""
    for tenant in TENANTS:
        warehouse.add_tenant(tenant)
        warehouse.add_contact(tenant, f"{tenant}_contact", f"{tenant}@example.com")
        for number in range(4):
            at = DAY.replace(day=9 + number)
            message = f"{tenant}_{number}"
            warehouse.add_message(tenant, f"{tenant}_contact", message, at)
            warehouse.add_event(tenant, message, f"{message}_d", "delivered", at)
            opened = at.replace(hour=15)
            warehouse.add_event(tenant, message, f"{message}_o", "open", opened)


@pytest.fixture
def filled(outreach: OutreachWarehouse) -> OutreachWarehouse:
    fill(outreach)
    return outreach


class Location:
    """The code location, with an instance of Dagster that lives as long as the test."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.defs = build_definitions()

    def run(
        self, job: str = "outreach_refresh", **arguments: Any
    ) -> tuple[dg.ExecuteInProcessResult, str]:
        """A run in this process, and what it said if it failed."""
        result = self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, **arguments
        )
        said = [event.step_failure_data for event in result.get_step_failure_events()]
        failures = [
            each.user_failure_data.description or "" for each in said if each.user_failure_data
        ]
        return result, " ".join(failures) or " ".join(str(each.error) for each in said)

    def marks(self, asset: str) -> dict[str, Mapping[str, Any]]:
        """Metadata of the latest mark of each partition of an asset."""
        records = self.instance.fetch_materializations(dg.AssetKey(asset), limit=1000).records
        marks: dict[str, Mapping[str, Any]] = {}
        for record in reversed(records):
            mark = record.asset_materialization
            assert mark is not None
            marks[str(mark.partition)] = {key: each.value for key, each in mark.metadata.items()}
        return marks

    def tenants(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions("outreach_tenant"))


@pytest.fixture
def use_database(
    monkeypatch: pytest.MonkeyPatch, test_home: Path
) -> Iterator[Callable[[str], None]]:
    """Sets ``ROLLUPS_DATABASE_URL`` for this process, as for a process of Dagster's."""

    def use(url: str) -> None:
        monkeypatch.setenv("ROLLUPS_HOME", str(test_home))
        monkeypatch.setenv("ROLLUPS_DATABASE_URL", url)
        monkeypatch.setenv("ROLLUPS_FAMILIES", "outreach")
        load_settings.cache_clear()

    yield use
    load_settings.cache_clear()


@pytest.fixture
def location(filled: OutreachWarehouse, use_database: Callable[[str], None]) -> Iterator[Location]:
    """The code location on the filled warehouse."""
    use_database(filled.url)
    with dg.instance_for_test() as instance:
        yield Location(instance)
