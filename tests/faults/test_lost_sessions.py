"""Sessions that end under a refresh: ended by an administrator, by the server, by the network."""

from __future__ import annotations

import time

import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestration.errors import DatabaseError
from orchestration.warehouse.refresh import RefreshRequest, refresh
from tests.conftest import make_conninfo_url
from tests.dagster_server import wait_until
from tests.faults.blocking import AT_THE_END, MIDDLE, held, wait_for_writer
from tests.faults.network import proxy
from tests.faults.observing import sessions_of_ours
from tests.faults.trial import RefreshInThread, Trial

SILENT_SECONDS = 3


def test_backend_of_a_model_is_terminated(trial: Trial) -> None:
    warehouse = trial.warehouse
    with held(warehouse.url, MIDDLE):
        running = RefreshInThread(warehouse.settings, warehouse.url)
        backend = wait_for_writer(warehouse.url, MIDDLE)
        warehouse.rows("select pg_terminate_backend(%s)", backend)
    said = running.fails()
    assert "metrics_campaign_daily: " in said
    assert "the server ended the session, run it again (the work stays pending)" in said
    assert trial.error() == said
    trial.require_pending("failed")
    trial.require_healed()


def test_session_that_drives_the_refresh_is_terminated(trial: Trial) -> None:
    warehouse = trial.warehouse
    with held(warehouse.url, MIDDLE):
        running = RefreshInThread(warehouse.settings, warehouse.url)
        wait_for_writer(warehouse.url, MIDDLE)
        warehouse.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = 'rollups refresh'"
        )
    # Without the locks of its driver no further model may start.
    assert "the session that drives this refresh was lost" in running.fails()
    assert warehouse.differences() != []
    trial.require_pending("lost")
    trial.require_healed()


@pytest.mark.parametrize("relation", [MIDDLE, AT_THE_END])
def test_network_falls_silent(trial: Trial, relation: str) -> None:
    warehouse = trial.warehouse
    settings = warehouse.settings.model_copy(update={"network_timeout_seconds": SILENT_SECONDS})
    with proxy(int(conninfo_to_dict(warehouse.url)["port"] or 0)) as network:
        with held(warehouse.url, relation):
            running = RefreshInThread(settings, _through(network.port, warehouse.url))
            wait_for_writer(warehouse.url, relation)
            network.stall()
            stalled = time.monotonic()
            # While the table is locked: the server has to find out by itself as well.
            wait_until(
                lambda: not sessions_of_ours(warehouse.connection), 15, "the sessions to end"
            )
        assert "(the work stays pending)" in running.fails()
        assert time.monotonic() - stalled < 25
        trial.require_pending("lost")
        trial.require_healed()


def test_network_that_never_answers(trial: Trial) -> None:
    warehouse = trial.warehouse
    settings = warehouse.settings.model_copy(update={"network_timeout_seconds": SILENT_SECONDS})
    with proxy(int(conninfo_to_dict(warehouse.url)["port"] or 0)) as network:
        network.deaf = True
        started = time.monotonic()
        with pytest.raises(DatabaseError, match="timeout expired"):
            refresh(
                settings, _through(network.port, warehouse.url), RefreshRequest("outreach", "x")
            )
        assert time.monotonic() - started < 10
    trial.require_healed()


def _through(port: int, url: str) -> str:
    database = str(conninfo_to_dict(url)["dbname"])
    direct = conninfo_to_dict(url)["port"]
    return make_conninfo_url(url.replace(f":{direct}/", f":{port}/"), database)
