"""Partitions of the rollup assets: tenant-local day x tenant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

import dagster as dg
from dagster import MultiPartitionKey

from orchestration.warehouse.tenants import Partition

DATE = "date"
TENANT = "tenant"

# A date becomes a partition when it begins anywhere on earth, fourteen hours before it does in UTC.
FIRST_ZONE_OF_A_DAY = "Etc/GMT-14"

# The asset page stays quick up to about this many partitions. Older history stays in the tables
# and is refreshed all the same, it only has no mark in Dagster.
MAX_PARTITIONS = 100_000
FALLBACK_DAYS = 730


@cache
def tenant_partitions(family: str) -> dg.DynamicPartitionsDefinition:
    """The tenants of a family that Dagster knows; a sensor adds new ones."""
    return dg.DynamicPartitionsDefinition(name=f"{family}_tenant")


def family_partitions(family: str, start: date) -> dg.MultiPartitionsDefinition:
    """Key text is ``date|tenant``, for example ``2026-03-08|tenant_1``."""
    days = dg.DailyPartitionsDefinition(
        start_date=start.isoformat(), timezone=FIRST_ZONE_OF_A_DAY, end_offset=1
    )
    return dg.MultiPartitionsDefinition({DATE: days, TENANT: tenant_partitions(family)})


def last_date() -> date:
    """The latest calendar date that has begun anywhere."""
    return (datetime.now(tz=UTC) + timedelta(hours=14)).date()


def partition_key(partition: Partition) -> MultiPartitionKey:
    return MultiPartitionKey({DATE: partition.date.isoformat(), TENANT: partition.tenant_id})


def rolling_start(first: date, tenants: int) -> date:
    """The first date, or a later one that keeps dates x tenants near ``MAX_PARTITIONS``."""
    days = max(MAX_PARTITIONS // max(tenants, 1), 31)
    return max(first, last_date() - timedelta(days=days))
