"""Semantic models and metrics for MetricFlow, written from what the models and macros say.

A measure is a public column that adds up; a ratio is one of the rates and averages that the views
have, as a ratio of sums. Window metrics (bots, distinct counts) are left out: no sum answers them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from scripts.public_schema import mark, public_models

DBT_PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
FOLDER = DBT_PROJECT / "models" / "semantic"
NOTE = "# Written by `make docs` from the columns: edit those, or scripts/semantic_layer.py.\n"

Ratios = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Subject:
    """What a semantic model is of: its view, what its metrics begin with, where its ratios are."""

    name: str
    family: str
    view: str
    prefix: str
    ratios: str


SUBJECTS = (
    Subject("tenant_day", "outreach", "rpt_tenant_daily", "", "rates"),
    Subject("campaign_day", "outreach", "rpt_campaign_daily", "campaign_", "rates"),
    Subject("contact_hour", "outreach", "rpt_contact_hourly", "contact_", "rates"),
    Subject("tenant_cohort", "outreach", "rpt_tenant_cohort_daily", "cohort_", "cohort_rates"),
    Subject(
        "campaign_cohort", "outreach", "rpt_campaign_cohort_daily",
        "campaign_cohort_", "cohort_rates",
    ),
    Subject("account_day", "support", "rpt_support_account_daily", "account_", "averages"),
    Subject("inbox_day", "support", "rpt_support_inbox_daily", "inbox_", "averages"),
    Subject("team_day", "support", "rpt_support_team_daily", "team_", "averages"),
    Subject("agent_day", "support", "rpt_support_agent_daily", "agent_", "averages"),
    Subject("bot_day", "support", "rpt_support_bot_daily", "bot_", "bot_rates"),
)  # fmt: skip


def semantic_files(manifest: Mapping[str, Any]) -> dict[Path, str]:
    """Path and text of every file of the semantic layer."""
    models = {node["alias"]: node for node in public_models(manifest)}
    return {
        FOLDER / subject.family / f"{subject.name}.yml": NOTE + _yaml(subject, models[subject.view])
        for subject in SUBJECTS
    }


def _yaml(subject: Subject, node: Mapping[str, Any]) -> str:
    columns = {
        column["name"]: mark(column["description"]) | {"type": column["data_type"]}
        for column in node["columns"].values()
    }
    counts = [name for name, of in columns.items() if of["adds_up"] == "additive"]
    ratios = {name: parts for name, parts in ratios_of(subject).items() if name in columns}
    missing = [n for n, of in columns.items() if of["adds_up"] == "ratio" and n not in ratios]
    assert not missing, f"{subject.view}: no numerator and denominator for {missing}"
    # What is divided by what may be an expression; it is a measure then, like any column.
    parts = {
        f"{name}_{what}": expression
        for name, of in ratios.items()
        for what, expression in zip(("numerator", "denominator"), of, strict=True)
        if expression not in columns
    }
    reference = [f"'{node['name']}'"]
    if node.get("version") is not None:
        reference.append(f"v={node['version']}")
    semantic_model = {
        "name": subject.name,
        "description": " ".join(node["description"].split()),
        "model": f"ref({', '.join(reference)})",
        "primary_entity": subject.name,
        "defaults": {"agg_time_dimension": "date"},
        "entities": list(_entities(subject, columns)),
        "dimensions": list(_dimensions(columns)),
        "measures": [
            {"name": _metric(subject, name), "agg": "sum", "expr": expression}
            for name, expression in ({name: name for name in counts} | parts).items()
        ],
    }
    metrics = [_simple(subject, name, columns[name]["text"]) for name in counts]
    metrics += [_simple(subject, name, f"Part of a ratio: {of}.") for name, of in parts.items()]
    for name, of in ratios.items():
        of = [
            expression if expression in columns else f"{name}_{what}"
            for what, expression in zip(("numerator", "denominator"), of, strict=True)
        ]
        metrics.append(_ratio(subject, name, columns[name]["text"], *of))
    content = {"version": 2, "semantic_models": [semantic_model], "metrics": metrics}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _entities(subject: Subject, columns: Mapping[str, Mapping[str, str]]) -> Iterator[Any]:
    # The tenants of the two families have nothing to do with each other.
    other_name = {"outreach": "account_id", "support": "tenant_id"}[subject.family]
    for name, of in columns.items():
        if of["unit"] == "id" and name != other_name:
            yield {"name": name.removesuffix("_id"), "type": "foreign", "expr": name}


def _dimensions(columns: Mapping[str, Mapping[str, str]]) -> Iterator[Any]:
    for name, of in columns.items():
        if name == "date":
            yield {"name": name, "type": "time", "type_params": {"time_granularity": "day"}}
        elif of["unit"] == "hour" and of["clock"] == "tenant's clock":
            # By hour of the day, which is what charts of it want.
            hour = f"extract(hour from {name})::integer"
            yield {"name": "hour_of_day", "type": "categorical", "expr": hour}
        elif of["adds_up"] in ("key", "attribute") and of["unit"] not in ("id", "hour"):
            yield {"name": name, "type": "categorical"}


def _metric(subject: Subject, column: str) -> str:
    return subject.prefix + column.removeprefix(subject.prefix)


def _simple(subject: Subject, column: str, text: str) -> dict[str, Any]:
    name = _metric(subject, column)
    return _named(name, text) | {"type": "simple", "type_params": {"measure": name}}


def _ratio(
    subject: Subject, column: str, text: str, numerator: str, denominator: str
) -> dict[str, Any]:
    parts = {
        "numerator": _metric(subject, numerator),
        "denominator": _metric(subject, denominator),
    }
    return _named(_metric(subject, column), text) | {"type": "ratio", "type_params": parts}


def _named(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "label": name.replace("_", " ").capitalize(), "description": text}


def ratios_of(subject: Subject) -> Ratios:
    """Numerator and denominator of each rate and average of a view."""
    if subject.ratios == "rates":
        return _defined_in("outreach/outreach_rates.sql", "outreach_rates")
    if subject.ratios == "cohort_rates":
        return _defined_in("outreach/outreach_rates.sql", "outreach_cohort_rates")
    if subject.ratios == "bot_rates":
        return {
            "bot_resolution_rate": ("bot_resolved_count", "conversations_count"),
            "bot_handoff_rate": ("bot_handed_off_count", "conversations_count"),
        }
    durations = _defined_in("support/support_daily_numbers.sql", "support_durations")
    of = [duration + clock for duration in durations for clock in ("", "_business_hours")]
    return {f"avg_{duration}": (f"{duration}_sum", f"{duration}_count") for duration in of}


def _defined_in(path: str, macro: str) -> Any:
    """What a macro of dbt returns that only returns a value."""
    returned: list[Any] = []
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    source = (DBT_PROJECT / "macros" / path).read_text(encoding="utf-8")
    template = environment.from_string(source, globals={"return": returned.append})
    getattr(template.module, macro)()
    return returned[0]
