"""How dbt's models, sources and tests look in Dagster: names, groups, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

SOURCES_GROUP = "sources"
LEDGER_GROUP = "ledger"
_GROUPS = {
    "staging": "staging",
    "intermediate": LEDGER_GROUP,
    "marts": "marts",
    "reporting": "reporting",
}


def visible_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest without a refresh's plumbing: source ``ops``, models with meta ``plumbing``.

    They are how a refresh carries its scope to dbt, not data that flows into the rollups.
    """
    hidden = {key for key, node in manifest["sources"].items() if node["source_name"] == "ops"}
    hidden |= {
        key
        for key, node in manifest["nodes"].items()
        if node["config"].get("meta", {}).get("plumbing")
    }

    def shown(keys: list[str]) -> list[str]:
        return [key for key in keys if key not in hidden]

    nodes = {}
    for key, node in manifest["nodes"].items():
        depends_on = node.get("depends_on", {})
        parents = depends_on.get("nodes", [])
        # A test of plumbing goes with it.
        if key in hidden or (node["resource_type"] == "test" and not shown(parents)):
            continue
        nodes[key] = {**node, "depends_on": {**depends_on, "nodes": shown(parents)}}
    return {
        **manifest,
        "nodes": nodes,
        "sources": {key: manifest["sources"][key] for key in shown(list(manifest["sources"]))},
        **{
            name: {
                key: shown(others) for key, others in manifest[name].items() if key not in hidden
            }
            for name in ("parent_map", "child_map")
        },
    }


class RollupsTranslator(DagsterDbtTranslator):
    """Asset keys are names of relations, sources ``source/table``; groups follow the folders."""

    def __init__(self) -> None:
        # A view is as fresh as what it reads: Dagster calls such an asset virtual.
        settings = DagsterDbtTranslatorSettings(
            enable_asset_checks=True, enable_dbt_views_as_virtual_assets=True
        )
        super().__init__(settings)

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        # Versions of a model have one name, but each a relation of its own.
        return dg.AssetKey(dbt_resource_props.get("alias", dbt_resource_props["name"]))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        folder = dbt_resource_props["fqn"][1]
        return _GROUPS.get(folder, SOURCES_GROUP)

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        # The database is whichever one a process connects to; the manifest's is of no meaning.
        return super().get_metadata({**dbt_resource_props, "database": None})

    def get_code_version(self, dbt_resource_props: Mapping[str, Any]) -> None:
        # A changed model marks its history pending; Dagster need not call a partition stale.
        return None


def source_specs(manifest: Mapping[str, Any], translator: RollupsTranslator) -> list[dg.AssetSpec]:
    """The source tables as assets that somebody else fills, with their descriptions and columns."""
    return [
        dg.AssetSpec(
            key=translator.get_asset_key(source),
            description=source["description"],
            group_name=SOURCES_GROUP,
            kinds={"postgres", "table"},
            metadata=translator.get_metadata(source),
        )
        for source in manifest["sources"].values()
    ]
