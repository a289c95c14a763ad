"""Partition keys and run configurations, given to runs as anybody can who reaches Dagster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._check import CheckError

from orchestration.errors import InputError
from orchestration.jobs import Rectangle
from tests.dagster.conftest import Location
from tests.hostile.attacks import ATTACKS, NUL
from tests.hostile.canary import Canary
from tests.outreach.warehouse import OutreachWarehouse

pytestmark = pytest.mark.slow

TEXTS = {**ATTACKS, "nul": NUL}
DATE, TENANT = "2026-03-10", "acme"
PARTITION = "dagster/partition"
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
MOST_SHOWN = 2_000
SPREAD = 4


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        made.add_dynamic_partitions("outreach_tenant", [TENANT])
        yield made


@pytest.fixture
def place(
    instance: dg.DagsterInstance,
    outreach_here: OutreachWarehouse,
    outreach_canary: Canary,
    use_settings: Callable[[str, str], None],
) -> Iterator[Location]:
    """The code location; whatever the runs do, the warehouse and the tenants stay as they are."""
    use_settings(outreach_here.url, "outreach")
    location = Location(instance)
    before = work(outreach_here)
    yield location
    assert work(outreach_here) == before
    assert location.tenants() == [TENANT]
    assert outreach_here.differences() == []
    outreach_canary.assert_untouched()


def work(warehouse: OutreachWarehouse) -> list[tuple[Any, ...]]:
    """What was ever refreshed and what is pending."""
    return warehouse.rows(
        "select (select count(*) from ops.refresh_log), (select count(*) from ops.pending)"
    )


def assert_refused(name: str, result: dg.ExecuteInProcessResult, said: str) -> None:
    assert not result.success, name
    assert said, name
    assert "\n" not in said.strip(), (name, said)
    assert "Traceback" not in said, (name, said)
    assert len(said) < MOST_SHOWN, name


def keys(text: str) -> list[dict[str, str]]:
    """The ways to name partitions by the tags of a run, with an attack in each place."""
    start, end = RANGE
    sound = f"{DATE}|{TENANT}"
    return [
        {PARTITION: text},
        {PARTITION: f"{DATE}|{text}"},
        {PARTITION: f"{text}|{TENANT}"},
        {start: f"{DATE}|{text}", end: sound},
        {start: sound, end: f"{text}|{TENANT}"},
        {start: text, end: text},
        {f"{PARTITION}/date": DATE, f"{PARTITION}/tenant": text},
        {f"{PARTITION}/date": text, f"{PARTITION}/tenant": TENANT},
    ]


def test_partition_keys(place: Location) -> None:
    for number, (name, text) in enumerate(TEXTS.items()):
        for place_of_text, tags in enumerate(keys(text)):
            is_none = tags == {PARTITION: ""}
            if is_none or (number + place_of_text) % SPREAD:
                continue
            try:
                result, said = place.run(tags=tags)
            except (ValueError, dg.DagsterError, CheckError):
                # Dagster looks for the partitions itself and has none by this name: no run begins.
                assert any(tag in tags for tag in RANGE), tags
                continue
            assert_refused(f"{name} {tags}"[:200], result, said)


def test_rectangle(place: Location) -> None:
    sound = {"first_date": DATE, "last_date": DATE, "tenants": [TENANT]}
    for number, (name, text) in enumerate(list(TEXTS.items())[::SPREAD]):
        field = list(sound)[number % len(sound)]
        config = sound | {field: [text] if field == "tenants" else text}
        run_config = {"ops": {"outreach_backfill_rectangle": {"config": config}}}
        result, said = place.run("outreach_backfill", run_config=run_config)
        assert_refused(f"{field} {name}", result, said)


@pytest.mark.parametrize("field", ["first_date", "last_date"])
def test_dates_of_a_rectangle(field: str) -> None:
    """The dates alone, which are looked at before anything else."""
    for name, text in TEXTS.items():
        rectangle = Rectangle.model_validate({"first_date": DATE, "last_date": DATE, field: text})
        with pytest.raises(InputError) as refused:
            rectangle.dates()
        assert str(refused.value).isprintable(), name
        assert len(str(refused.value)) < MOST_SHOWN, name


def test_reconciliation(place: Location) -> None:
    for name, text in list(TEXTS.items())[::SPREAD]:
        run_config = {"ops": {"outreach_reconciliation": {"config": {"tenants": [text]}}}}
        result, said = place.run("outreach_reconcile", run_config=run_config)
        assert_refused(name, result, said)
