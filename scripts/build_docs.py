#!/usr/bin/env python3
"""Write the pages of docs/ that follow from the code: metrics and schema (model YAML), settings.

``--check`` writes nothing and fails when a page is not up to date. A change of the public schema
that would break somebody's query is refused either way.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from orchestration.dbt_runner import dbt_project  # noqa: E402  (after the path is set)
from orchestration.settings import Settings  # noqa: E402  (as above)
from scripts.public_schema import (  # noqa: E402  (as above)
    as_text,
    breaking_changes,
    mark,
    primary_key,
    public_models,
    public_schema,
)
from scripts.semantic_layer import semantic_files  # noqa: E402  (as above)
from scripts.superset_bundle import superset_files  # noqa: E402  (as above)

NOTE = "<!-- Written by `make docs`; edit the model YAML or settings.py instead. -->\n"
CONTRACT = ROOT / "docs" / "public-schema.json"
SECTIONS = {
    "Outreach: rollups": ("metrics_contact_hourly", "metrics_campaign_daily",
                          "metrics_tenant_daily"),
    "Outreach: send-day cohorts": ("metrics_campaign_cohort_daily", "metrics_tenant_cohort_daily"),
    "Outreach: messages": ("metrics_message",),
    "Outreach: views with names and rates": ("rpt_tenant_daily", "rpt_tenant_cohort_daily",
                                             "rpt_campaign_daily", "rpt_campaign_cohort_daily",
                                             "rpt_contact_hourly"),
    "Support: rollups": ("reporting_events_rollups", "conversations_daily"),
    "Support: views with names and averages": ("rpt_support_account_daily",
                                               "rpt_support_inbox_daily",
                                               "rpt_support_team_daily",
                                               "rpt_support_agent_daily",
                                               "rpt_support_bot_daily"),
}  # fmt: skip


def metrics_page(manifest: dict[str, Any]) -> str:
    """Every public table with its grain and columns."""
    models = {node["alias"]: node for node in public_models(manifest)}
    others = tuple(name for name in models if not any(name in of for of in SECTIONS.values()))
    intro = (
        "Every table and view in schema `analytics`. What *unit*, *clock* and *adds up* mean:"
        " [the public schema](public-schema.md).\n"
    )
    lines = [NOTE, "# Metrics\n", intro]
    for title, names in (SECTIONS | {"Others": others}).items():
        lines += [f"## {title}\n"] if names else []
        for name in names:
            lines += _table(models[name])
    return "\n".join(lines)


def _table(node: dict[str, Any]) -> list[str]:
    lines = [f"### {node['alias']}\n", _one_line(node["description"]) + "\n"]
    lines += [f"Key: {', '.join(f'`{column}`' for column in primary_key(node))}.\n"]
    lines += ["| column | type | unit | clock | adds up | meaning |", "| --- " * 6 + "|"]
    for column in node["columns"].values():
        of = mark(column["description"])
        meaning = of["text"].replace("|", "\\|")
        lines.append(
            f"| `{column['name']}` | {column['data_type']} | {of['unit']} | {of['clock']}"
            f" | {of['adds_up']} | {meaning} |"
        )
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


def contract(manifest: dict[str, Any]) -> str:
    """The public schema as it is kept; raises ``SystemExit`` if the kept one would be broken."""
    schema = public_schema(manifest)
    if CONTRACT.exists():
        kept = json.loads(CONTRACT.read_text(encoding="utf-8"))
        broken = list(breaking_changes(kept, schema, date.today()))
        if broken:
            sys.exit("\n".join(["the public schema would break:", *broken]))
    return as_text(schema)


def main() -> int:
    manifest = json.loads(dbt_project(Settings()).manifest_path.read_text(encoding="utf-8"))
    docs = ROOT / "docs"
    pages = {
        docs / "metrics.md": metrics_page(manifest),
        docs / "settings.md": settings_page(),
        CONTRACT: contract(manifest),
        **semantic_files(manifest),
        **superset_files(manifest),
    }
    stale = {
        path: text
        for path, text in pages.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    names = [str(path.relative_to(ROOT)) for path in stale]
    if "--check" in sys.argv:
        if names:
            print(f"not up to date: {', '.join(names)}; run `make docs`", file=sys.stderr)
        return 1 if names else 0
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
