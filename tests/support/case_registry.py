"""Holding the metric registry against a case, however the case arranges its facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What a case may call a column of the registry.
COLUMNS = {
    "rollup_metric": ("rollup_metric", "metric", "name"),
    "event_name": ("event_name", "event", "raw_event", "raw_event_name"),
    "payload": ("payload", "payload_kind", "kind", "type"),
    "raw_count_strategy": ("raw_count_strategy", "raw_strategy", "count_strategy", "strategy"),
    "report_metric": ("report_metric", "report_name", "report"),
}
ROW_KEYS = ("event_name", "rollup_metric", "report_metric")


def registry_mismatches(expected: Any, registry: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where a case's view of the registry differs from the registry.

    A case may list rows, or map a key (event, rollup metric, report metric) to rows, names or one
    row; the keys must be all that the registry has.
    """
    if isinstance(expected, Mapping):
        return _mapping_mismatches(expected, registry)
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return _listed_mismatches(expected, registry)
    return [f"a registry is a list or a mapping, not {expected!r}"]


def _mapping_mismatches(
    expected: Mapping[str, Any], registry: Sequence[Mapping[str, Any]]
) -> list[str]:
    for column in ROW_KEYS:
        if set(expected) <= {row[column] for row in registry}:
            lines = _names_mismatch(expected, (row[column] for row in registry))
            for key, view in expected.items():
                rows = [row for row in registry if row[column] == key]
                views = view if isinstance(view, list) else [view]
                lines += [f"{key}: {line}" for line in _listed_mismatches(views, rows)]
            return lines
    # Named lists, such as {"events": [...], "metrics": [...]}.
    return [
        f"{name}: {line}"
        for name, view in expected.items()
        for line in registry_mismatches(view, registry)
    ]


def _listed_mismatches(expected: Sequence[Any], registry: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [item for item in expected if isinstance(item, str)]
    if names:
        tried = [_names_mismatch(names, (row[column] for row in registry)) for column in COLUMNS]
        return min(tried, key=len)
    lines = []
    if len(expected) != len(registry):
        lines.append(f"expected {len(expected)} rows, has {len(registry)}")
    for view in expected:
        if not any(_fits(view, row) for row in registry):
            lines.append(f"no row like {view!r}")
    return lines


def _names_mismatch(expected: Iterable[str], found: Iterable[str]) -> list[str]:
    expected, found = set(expected), set(found)
    return [f"missing {name}" for name in sorted(expected - found)] + [
        f"surplus {name}" for name in sorted(found - expected)
    ]


def _fits(view: Any, row: Mapping[str, Any]) -> bool:
    """Whether a row has all that is said of it; a column of a name we do not know never fits."""
    if not isinstance(view, Mapping):
        return view in row.values()
    by_name = {name: row[column] for column, names in COLUMNS.items() for name in names}
    return all(name in by_name and by_name[name] == value for name, value in view.items())
