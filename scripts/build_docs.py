#!/usr/bin/env python3
"""Write the pages of docs/ that follow from the code: metrics (model YAML) and settings.

``--check`` writes nothing and fails when a page is not up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from orchestration.dbt_runner import dbt_project  # noqa: E402  (after the path is set)
from orchestration.settings import Settings  # noqa: E402

NOTE = "<!-- Written by `make docs`; edit the model YAML or settings.py instead. -->\n"
SECTIONS = {
    "Rollups": ("metrics_contact_hourly", "metrics_campaign_daily", "metrics_tenant_daily"),
    "Send-day cohorts": ("metrics_campaign_cohort_daily", "metrics_tenant_cohort_daily"),
    "Messages": ("metrics_message",),
    "Support": ("reporting_events_rollups", "conversations_daily"),
}


def metrics_page(manifest: dict[str, Any]) -> str:
    """Every public table with its grain and columns."""
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    reporting = tuple(
        sorted(
            name
            for name, node in models.items()
            if node["fqn"][1] == "reporting" and node["schema"] == "analytics"
        )
    )
    intro = (
        "Every table and view in schema `analytics`. Times are instants (`timestamptz`); a `date`"
        " is a calendar day in the tenant's reporting time zone.\n"
    )
    lines = [NOTE, "# Metrics\n", intro]
    for title, names in (SECTIONS | {"Views with rates": reporting}).items():
        lines.append(f"## {title}\n")
        for name in names:
            lines += _table(models[name])
    return "\n".join(lines)


def _table(node: dict[str, Any]) -> list[str]:
    lines = [f"### {node['name']}\n", _one_line(node["description"]) + "\n"]
    lines += ["| column | type | meaning |", "| --- | --- | --- |"]
    for column in node["columns"].values():
        meaning = _one_line(column["description"]).replace("|", "\\|")
        lines.append(f"| `{column['name']}` | {column['data_type'] or ''} | {meaning} |")
    return [*lines, ""]


def settings_page() -> str:
    """Every ROLLUPS_ variable with its default."""
    intro = (
        "Environment variables; a wrong value is refused with its name, the value and what is"
        " allowed.\n"
    )
    lines = [NOTE, "# Settings\n", intro, "| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if name == "home":
            default = ".rollups in the project"
        elif isinstance(default, tuple):
            default = ",".join(default)
        shown = "" if default is None else f"`{default}`"
        lines.append(f"| `ROLLUPS_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> int:
    manifest = json.loads(dbt_project(Settings()).manifest_path.read_text(encoding="utf-8"))
    pages = {"metrics.md": metrics_page(manifest), "settings.md": settings_page()}
    stale = []
    for name, text in pages.items():
        path = ROOT / "docs" / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} written")
    if stale and "--check" in sys.argv:
        print(f"not up to date: {', '.join(stale)}; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
