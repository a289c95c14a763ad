"""The jobs: refresh what is pending, and backfill a rectangle of tenants and dates in one run."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

from datetime import date

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition as AssetJob,
)
from pydantic import Field

from orchestration.assets import refresh_pool
from orchestration.errors import InputError
from orchestration.refreshing import FamilyRollups, one_line_failures, rebuild
from orchestration.resources import Warehouse
from orchestration.warehouse.tenants import Partition, dates_between, require_tenants
from orchestration.written import written_date

# Longer than any sound refresh: a first load of a large source takes minutes.
MAX_RUNTIME_TAG = "dagster/max_runtime"
MAX_RUNTIME_SECONDS = 6 * 3600


def refresh_job(family: str, rollups: dg.AssetsDefinition) -> AssetJob:
    """All rollups of a family. Without a partition it refreshes what is pending."""
    return dg.define_asset_job(
        f"{family}_refresh",
        # A refresh logs its checks itself: with nothing to do, none is called skipped.
        selection=dg.AssetSelection.assets(rollups).without_checks(),
        description=f"Brings the {family} rollups up to date: whatever is pending, when it is"
        " started without a partition. Backfills are launched on the assets.",
        tags={MAX_RUNTIME_TAG: str(MAX_RUNTIME_SECONDS)},
    )


class Rectangle(dg.Config):
    """Tenants and dates to rebuild."""

    first_date: str = Field(description="First date, YYYY-MM-DD.")
    last_date: str = Field(description="Last date, YYYY-MM-DD; included.")
    tenants: list[str] = Field(default=[], description="Tenant ids; none: all tenants.")

    def dates(self) -> list[date]:
        """Every date, or ``InputError``."""
        try:
            first, last = written_date(self.first_date), written_date(self.last_date)
        except ValueError as error:
            raise InputError(f"{error}: use YYYY-MM-DD") from None
        if first > last:
            raise InputError(f"first_date {first} is after last_date {last}: swap them")
        return dates_between(first, last)


def backfill_job(rollups: FamilyRollups) -> dg.JobDefinition:
    """A rectangle in one run, started with a configuration; the assets' own takes several."""

    @dg.op(name=f"{rollups.family}_backfill_rectangle", pool=refresh_pool(rollups.family))
    def rectangle(context: dg.OpExecutionContext, config: Rectangle, warehouse: Warehouse) -> None:
        with one_line_failures(context):
            dates = config.dates()
            with warehouse.connection() as connection:
                tenants = require_tenants(connection, rollups.family, config.tenants)
            partitions = [Partition(tenant.tenant_id, day) for tenant in tenants for day in dates]
            rebuild(context, warehouse, rollups, partitions)

    @dg.job(
        name=f"{rollups.family}_backfill",
        description=f"Rebuilds the {rollups.family} rollups of some tenants and dates in one run.",
        tags={MAX_RUNTIME_TAG: str(MAX_RUNTIME_SECONDS)},
    )
    def backfill() -> None:
        rectangle()

    return backfill
