"""The assets: dbt's models as Dagster sees them, and the functions that build them."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from orchestration.marking import log_checks
from orchestration.partitions import family_partitions
from orchestration.refreshing import (
    PARTITIONS_PER_RUN,
    FamilyRollups,
    one_line_failures,
    refresh_in_run,
)
from orchestration.resources import Warehouse
from orchestration.translator import RollupsTranslator
from orchestration.warehouse.bootstrap import deploy

RULES = "resource_type:seed"
# Views of no family.
SHARED_VIEWS = "fqn:rollups.reporting.calendar"


@dataclass(frozen=True)
class FamilySelections:
    """dbt selections of a family: views it reads, tables it keeps, views people read."""

    rollups: str
    source_views: str
    public_views: str


def selections(family: str, manifest: Mapping[str, Any]) -> FamilySelections:
    folders_of_views = {
        tuple(node["fqn"][:3])
        for node in manifest["nodes"].values()
        if node["config"].get("materialized") == "view"
    }

    def views(*folders: str) -> str:
        # dbt complains of a folder in which it finds none.
        return " ".join(
            f"fqn:rollups.{folder}.{family},config.materialized:view"
            for folder in folders
            if ("rollups", folder, family) in folders_of_views
        )

    return FamilySelections(
        rollups=f"tag:{family},config.materialized:incremental",
        source_views=views("staging", "intermediate"),
        public_views=views("marts", "reporting"),
    )


def rollup_assets(
    family: str, manifest: Mapping[str, Any], translator: RollupsTranslator, start: date
) -> tuple[dg.AssetsDefinition, FamilyRollups]:
    """The ledgers and rollups of a family by date and tenant: one refresh builds all of them."""
    partitions = family_partitions(family, start)

    @dbt_assets(
        manifest=manifest,
        select=selections(family, manifest).rollups,
        name=f"{family}_rollups",
        dagster_dbt_translator=translator,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(PARTITIONS_PER_RUN),
        pool=refresh_pool(family),
    )
    def rollups(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Any]:
        refresh_in_run(context, warehouse, family_rollups)
        yield from ()

    family_rollups = FamilyRollups(
        family=family,
        start=start,
        relations={key: _relation(rollups, key, manifest) for key in sorted(rollups.keys)},
        checks=checks_by_unique_id(rollups),
    )
    return rollups, family_rollups


def view_assets(
    name: str, select: str, manifest: Mapping[str, Any], translator: RollupsTranslator
) -> dg.AssetsDefinition:
    """Views or seeds; `rollups init` builds them, materializing them builds them again."""

    @dbt_assets(manifest=manifest, select=select, name=name, dagster_dbt_translator=translator)
    def views(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Any]:
        keys = sorted(context.selected_asset_keys)
        with one_line_failures(context):
            results = deploy(warehouse.settings, warehouse.url, [key.path[-1] for key in keys])
        log_checks(context, results, checks)
        for key in keys:
            yield dg.MaterializeResult(asset_key=key)

    checks = checks_by_unique_id(views)
    return views


def refresh_pool(family: str) -> str:
    """Refreshes of a family take turns: the pool has one place."""
    return f"{family}_refresh"


def checks_by_unique_id(assets: dg.AssetsDefinition) -> dict[str, dg.AssetCheckSpec]:
    """dbt tests of these assets by dbt's unique id."""
    return {str(spec.metadata["dagster_dbt/unique_id"]): spec for spec in assets.check_specs}


def _relation(assets: dg.AssetsDefinition, key: dg.AssetKey, manifest: Mapping[str, Any]) -> str:
    node = manifest["nodes"][assets.metadata_by_key[key]["dagster_dbt/unique_id"]]
    return f"{node['schema']}.{node['alias']}"
