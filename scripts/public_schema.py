"""The public schema: what people may build on, and which changes of it would break them.

Read from dbt's manifest; kept in ``docs/public-schema.json``, which CI holds it against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

UNITS = {
    "id", "name", "channel", "status", "time zone", "dimension", "metric", "yes or no",
    "day", "hour", "instant", "seconds", "working seconds", "share",
    "messages", "events", "replies", "episodes", "transitions", "conversations",
}  # fmt: skip
CLOCKS = {"tenant's clock", "instant", "no time"}
ADDS_UP = {"key", "attribute", "additive", "ratio", "window"}

_MARK = re.compile(
    r"(?P<text>.+\S) \[(?P<unit>[^;\]]+); (?P<clock>[^;\]]+); (?P<adds_up>[^;\]]+)\]"
)

Schema = Mapping[str, Mapping[str, Any]]


def public_models(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Models of schema ``analytics``, all versions of each, by the name of their relation."""
    nodes = manifest["nodes"].values()
    found = [n for n in nodes if n["resource_type"] == "model" and n["schema"] == "analytics"]
    return sorted(found, key=lambda node: node["alias"])


def mark(description: str) -> dict[str, str]:
    """Text, unit, clock and additivity of a column's comment; ``ValueError`` if one is missing."""
    found = _MARK.fullmatch(" ".join(description.split()))
    if found is None:
        raise ValueError("the comment does not end with [unit; clock; how it adds up]")
    parts = found.groupdict()
    for what, allowed in (("unit", UNITS), ("clock", CLOCKS), ("adds_up", ADDS_UP)):
        if parts[what] not in allowed:
            raise ValueError(f"{parts[what]!r}: use one of {', '.join(sorted(allowed))}")
    return parts


def public_schema(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every public relation with its key and columns, in their order."""
    return {node["alias"]: _relation(node) for node in public_models(manifest)}


def as_text(schema: Schema) -> str:
    """The schema as JSON with a line for each column, so that a change reads well in a diff."""
    relations = []
    for name, relation in schema.items():
        of = {key: value for key, value in relation.items() if key != "columns"}
        columns = ",\n".join(
            f"   {json.dumps(column)}: {json.dumps(properties)}"
            for column, properties in relation["columns"].items()
        )
        head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in of.items())
        relations.append(f' {json.dumps(name)}: {{\n{head}  "columns": {{\n{columns}\n  }}\n }}')
    return "{\n" + ",\n".join(relations) + "\n}\n"


def primary_key(node: Mapping[str, Any]) -> list[str]:
    """Columns of the primary key, or what tells the rows of a view apart."""
    for constraint in node["constraints"]:
        if constraint["type"] == "primary_key":
            return list(constraint["columns"])
    return list(node["config"]["meta"].get("key", []))


def _relation(node: Mapping[str, Any]) -> dict[str, Any]:
    is_view = node["config"]["materialized"] == "view"
    relation: dict[str, Any] = {"kind": "view" if is_view else "table", "key": primary_key(node)}
    if node.get("version") is not None:
        relation["version"] = node["version"]
    if node.get("deprecation_date"):
        relation["deprecation_date"] = node["deprecation_date"][:10]
    return relation | {"columns": {c["name"]: _column(c) for c in node["columns"].values()}}


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    parts = mark(column["description"])
    return {
        "type": column["data_type"],
        "not_null": any(rule["type"] == "not_null" for rule in column["constraints"]),
        **{what: parts[what] for what in ("unit", "clock", "adds_up")},
    }


def breaking_changes(before: Schema, after: Schema, today: date) -> Iterator[str]:
    """What somebody's query could stumble over, each with its fix. Additions are none."""
    for name, relation in before.items():
        if name in after:
            yield from _breaking_changes_of(name, relation, after[name])
        elif relation.get("deprecation_date", "9999") > today.isoformat():
            yield f"{name}: gone, but not announced by a deprecation_date that has passed"


def _breaking_changes_of(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[str]:
    fix = "keep it and make a new version of the model (docs/public-schema.md)"
    if before["key"] != after["key"]:
        yield f"{name}: its key was {before['key']}; {fix}"
    columns = after["columns"]
    for column, was in before["columns"].items():
        if column not in columns:
            yield f"{name}.{column}: gone; {fix}"
            continue
        for what, value in was.items():
            now = columns[column][what]
            if now != value and (what, value) != ("not_null", False):
                yield f"{name}.{column}: {what} was {value!r} and is {now!r}; {fix}"
    kept = [column for column in columns if column in before["columns"]]
    if list(columns)[: len(kept)] != [c for c in before["columns"] if c in columns]:
        yield f"{name}: columns changed places; new ones go last, so that views stay in place"
