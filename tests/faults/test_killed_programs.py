"""kill -9 of what refreshes, at several places."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.dagster_server import wait_until
from tests.faults.blocking import AT_THE_END, MIDDLE, held, wait_for_writer
from tests.faults.observing import mart_states
from tests.faults.trial import Trial, dbt_program, kill, refresh_program


def test_refresh_killed_between_two_models(trial: Trial) -> None:
    warehouse = trial.warehouse
    with refresh_program(warehouse.settings, warehouse.url) as process:
        with held(warehouse.url, MIDDLE):
            backend = wait_for_writer(warehouse.url, MIDDLE)
            kill(process)
            # The table is still locked: a backend that did not look after its client would stay.
            wait_until(lambda: not _lives(warehouse.connection, backend), 10, "its backend to end")
    trial.require_pending("lost")
    trial.require_healed()


def test_refresh_killed_between_the_last_commit_and_the_end_of_its_log(trial: Trial) -> None:
    warehouse = trial.warehouse
    with refresh_program(warehouse.settings, warehouse.url) as process:
        with held(warehouse.url, AT_THE_END):
            backend = wait_for_writer(warehouse.url, AT_THE_END)
            done = mart_states(warehouse.connection)
            kill(process)
            wait_until(lambda: not _lives(warehouse.connection, backend), 10, "its backend to end")
    assert warehouse.differences() == []
    trial.require_pending("lost")
    trial.require_healed()
    assert mart_states(warehouse.connection) == done


def test_dbt_killed_between_two_models(trial: Trial, tmp_path: Path) -> None:
    warehouse = trial.warehouse
    with dbt_program(warehouse.settings, warehouse.url, tmp_path, "build") as process:
        with held(warehouse.url, MIDDLE):
            backend = wait_for_writer(warehouse.url, MIDDLE)
            assert trial.status() == "running"
            kill(process)
            wait_until(lambda: not _lives(warehouse.connection, backend), 10, "its backend to end")
    trial.require_let_go()
    # dbt has no session between two models, so a killed one is believed in for some minutes.
    assert trial.status() == "running"
    _turn_clock_on(warehouse.connection)
    trial.require_pending("lost")
    trial.require_healed()


def _lives(connection: psycopg.Connection, backend: int) -> bool:
    found = connection.execute("select 1 from pg_stat_activity where pid = %s", [backend])
    return found.fetchone() is not None


def _turn_clock_on(connection: psycopg.Connection) -> None:
    # As an administrator: the log cannot be changed by those who write it.
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        for table in ("refresh_log", "refresh_model"):
            connection.execute(f"update ops.{table} set at = at - interval '10 minutes'".encode())
