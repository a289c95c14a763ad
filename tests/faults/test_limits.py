"""A refresh that runs into a limit says which, in bounded time, and its work stays pending."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestration.errors import RollupsError
from orchestration.warehouse.refresh import RefreshRequest, refresh
from tests.faults.blocking import MIDDLE, held, wait_for_writer
from tests.faults.trial import RefreshInThread, Trial, dbt_program, refresh_program


@pytest.mark.parametrize("relation", [MIDDLE, "ops.pending", "ops.refresh_scope"])
def test_lock_held_by_another_session(trial: Trial, relation: str) -> None:
    warehouse = trial.warehouse
    settings = warehouse.settings.model_copy(update={"lock_timeout_seconds": 1})
    with held(warehouse.url, relation):
        started = time.monotonic()
        with pytest.raises(RollupsError, match=r"lock timeout.*ROLLUPS_LOCK_TIMEOUT") as caught:
            refresh(settings, warehouse.url, RefreshRequest("outreach", "test"))
        assert time.monotonic() - started < 30
        assert "\n" not in str(caught.value)
    # Stopped before it could note what changed, the refresh finds it behind the watermark again.
    trial.require_ended("failed") if relation == "ops.pending" else trial.require_pending("failed")
    trial.require_healed()


def test_lock_that_is_given_back_is_waited_for(trial: Trial) -> None:
    warehouse = trial.warehouse
    with refresh_program(warehouse.settings, warehouse.url) as process:
        with held(warehouse.url, MIDDLE):
            wait_for_writer(warehouse.url, MIDDLE)
        assert process.wait(60) == 0
    assert trial.status() == "completed"
    trial.require_done()


def test_dbt_by_itself_keeps_the_limits_of_the_last_refresh(trial: Trial, tmp_path: Path) -> None:
    warehouse = trial.warehouse
    warehouse.connection.execute(
        "insert into ops.config values ('lock_timeout_seconds', '1')"
        " on conflict (name) do update set value = excluded.value"
    )
    with held(warehouse.url, MIDDLE):
        with dbt_program(warehouse.settings, warehouse.url, tmp_path, "build") as process:
            said = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "canceling statement due to lock timeout" in said
    trial.require_pending("failed")
    trial.require_healed()


def test_statement_takes_too_long(trial: Trial) -> None:
    warehouse = trial.warehouse
    settings = warehouse.settings.model_copy(update={"statement_timeout_seconds": 1})
    with held(warehouse.url, MIDDLE):
        running = RefreshInThread(settings, warehouse.url)
        said = running.fails()
    assert "canceling statement due to statement timeout" in said
    assert "ROLLUPS_STATEMENT_TIMEOUT_SECONDS" in said
    trial.require_pending("failed")
    trial.require_healed()
