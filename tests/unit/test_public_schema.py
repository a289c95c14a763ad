"""The public schema is described, contracted and kept."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from orchestration.dbt_runner import dbt_project
from orchestration.settings import PROJECT_ROOT, Settings
from scripts.public_schema import (
    as_text,
    breaking_changes,
    mark,
    primary_key,
    public_models,
    public_schema,
)

TODAY = date(2026, 11, 21)
KEPT: dict[str, Any] = json.loads(
    (PROJECT_ROOT / "docs" / "public-schema.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return json.loads(dbt_project(Settings()).manifest_path.read_text(encoding="utf-8"))


def test_the_models_keep_the_contract(manifest: dict[str, Any]) -> None:
    assert list(breaking_changes(KEPT, public_schema(manifest), date.today())) == []


def test_every_public_model_has_a_contract_a_grain_and_a_key(manifest: dict[str, Any]) -> None:
    for node in public_models(manifest):
        name, columns = node["alias"], node["columns"]
        assert node["config"]["contract"]["enforced"], name
        assert node["description"].startswith("One row per "), name
        key = primary_key(node)
        assert key, f"{name}: no primary key; a view has it in meta.key"
        for column in key:
            assert mark(columns[column]["description"])["adds_up"] == "key", f"{name}.{column}"


def test_every_column_has_a_unit_a_clock_and_says_how_it_adds_up(manifest: dict[str, Any]) -> None:
    clocks = {
        "date": "tenant's clock",
        "timestamp": "tenant's clock",
        "timestamp with time zone": "instant",
    }
    for node in public_models(manifest):
        for column in node["columns"].values():
            name, kind = f"{node['alias']}.{column['name']}", column["data_type"]
            try:
                of = mark(column["description"])
            except ValueError as error:
                pytest.fail(f"{name}: {error}")
            clock = clocks.get(kind.removesuffix(" without time zone"))
            assert clock in (None, of["clock"]), name
            is_number = kind in ("bigint", "double precision") or kind.startswith("numeric")
            measures = {"additive", "ratio", "window"}
            assert of["unit"] == "id" or (of["adds_up"] in measures) == is_number, name
            assert (of["unit"] == "share") <= (of["adds_up"] == "ratio"), name


@pytest.mark.parametrize("text", ["Sends.", "Sends. [messages]", "S. [pounds; no time; additive]"])
def test_a_column_without_a_mark_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not end with|use one of"):
        mark(text)


VIEW = "rpt_tenant_daily"


def without_column(schema: dict[str, Any]) -> None:
    del schema[VIEW]["columns"]["open_rate"]


def renamed_column(schema: dict[str, Any]) -> None:
    columns = schema[VIEW]["columns"]
    schema[VIEW]["columns"] = {
        "sent" if name == "sends" else name: of for name, of in columns.items()
    }


def another_type(schema: dict[str, Any]) -> None:
    schema[VIEW]["columns"]["sends"]["type"] = "integer"


def no_longer_additive(schema: dict[str, Any]) -> None:
    schema[VIEW]["columns"]["unique_opens"]["adds_up"] = "window"


def may_be_null(schema: dict[str, Any]) -> None:
    schema["metrics_tenant_daily"]["columns"]["sends"]["not_null"] = False


def another_key(schema: dict[str, Any]) -> None:
    schema[VIEW]["key"] = ["tenant_id"]


def new_column_in_the_middle(schema: dict[str, Any]) -> None:
    columns = schema[VIEW]["columns"]
    schema[VIEW]["columns"] = {"new": columns["sends"]} | columns


def without_view(schema: dict[str, Any]) -> None:
    del schema[VIEW]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without_column, "open_rate: gone"),
        (renamed_column, "sends: gone"),
        (another_type, "sends: type was 'bigint' and is 'integer'"),
        (no_longer_additive, "unique_opens: adds_up was 'additive' and is 'window'"),
        (may_be_null, "sends: not_null was True"),
        (another_key, "its key was"),
        (new_column_in_the_middle, "columns changed places"),
        (without_view, "gone, but not announced"),
    ],
)
def test_a_change_that_breaks_a_query_is_found(
    change: Callable[[dict[str, Any]], None], says: str
) -> None:
    changed = copy.deepcopy(KEPT)
    change(changed)
    assert says in "\n".join(breaking_changes(KEPT, changed, TODAY))


def test_additions_and_new_versions_break_nothing() -> None:
    changed = copy.deepcopy(KEPT)
    without_column(changed)
    new_version = {f"{VIEW}_v2": changed.pop(VIEW) | {"version": 2}}
    kept = copy.deepcopy(KEPT)
    kept[VIEW]["columns"]["new"] = kept[VIEW]["columns"]["sends"]
    assert list(breaking_changes(KEPT, kept | new_version, TODAY)) == []


@pytest.mark.parametrize(("announced", "breaks"), [("2026-11-20", False), ("2026-11-22", True)])
def test_an_old_version_goes_when_its_day_has_come(announced: str, breaks: bool) -> None:
    before = copy.deepcopy(KEPT)
    before[VIEW]["deprecation_date"] = announced
    after = {name: of for name, of in KEPT.items() if name != VIEW}
    assert bool(list(breaking_changes(before, after, TODAY))) is breaks


def test_the_contract_reads_back_as_it_was() -> None:
    assert json.loads(as_text(KEPT)) == KEPT
