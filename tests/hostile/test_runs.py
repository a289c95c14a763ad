"""Partition keys and run configurations, given to runs as anybody can who reaches Dagster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
import pytest
from dagster._check import CheckError

from orchestration.backfills import asked_keys
from orchestration.errors import InputError
from orchestration.jobs import Rectangle
from orchestration.refreshing import FamilyRollups, require_keys
from orchestration.resources import Warehouse
from orchestration.warehouse.tenants import require_tenants
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

ROLLUPS = FamilyRollups("outreach", date(2026, 1, 1), relations={}, checks={})

# A run takes a third of a second.
SOME = dict(list(TEXTS.items())[1::3])
FEW = dict(list(TEXTS.items())[2::8])


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
    assert "Traceback" not in said, (name, said)
    assert_one_line(name, said.strip())


def assert_one_line(name: str, said: str) -> None:
    assert said, name
    assert said.isprintable(), (name, said)
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
    """Each text in each place, looked at as a run does."""
    for name, text in TEXTS.items():
        for tags in keys(text):
            if tags == {PARTITION: ""}:
                continue
            run = dg.DagsterRun(job_name="outreach_refresh", tags=tags)
            with pytest.raises(InputError) as refused:
                require_keys(Warehouse(), ROLLUPS, asked_keys(run) or ())
            assert_one_line(f"{name} {tags}"[:200], str(refused.value))


def test_runs_of_partitions(place: Location) -> None:
    """Some of them as whole runs, in another place each."""
    for number, (name, text) in enumerate(SOME.items()):
        tags = keys(text)[number % len(keys(text))]
        try:
            result, said = place.run(tags=tags)
        except (ValueError, dg.DagsterError, CheckError):
            # Dagster looks for the partitions itself and has none by this name: no run begins.
            assert any(tag in tags for tag in RANGE), tags
            continue
        assert_refused(f"{name} {tags}"[:200], result, said)


def test_tenants_of_a_configuration(outreach_here: OutreachWarehouse) -> None:
    for name, text in TEXTS.items():
        with pytest.raises(InputError) as refused:
            require_tenants(outreach_here.connection, "outreach", [TENANT, text])
        assert_one_line(name, str(refused.value))


def test_rectangle(place: Location) -> None:
    sound = {"first_date": DATE, "last_date": DATE, "tenants": [TENANT]}
    for number, (name, text) in enumerate(FEW.items()):
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
        assert_one_line(name, str(refused.value))


def test_reconciliation(place: Location) -> None:
    for name, text in FEW.items():
        run_config = {"ops": {"outreach_reconciliation": {"config": {"tenants": [text]}}}}
        result, said = place.run("outreach_reconcile", run_config=run_config)
        assert_refused(name, result, said)
