"""Dagster's own processes killed, and PostgreSQL under them: runs are tried again by themselves.

No partition may be green before its rows are there.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import Settings
from tests.dagster_server import DagsterServer, dagster_server, wait_until
from tests.faults.blocking import MIDDLE, client_process, held, wait_for_writer
from tests.faults.trial import Trial, add_work, open_warehouse
from tests.outreach.marts import KEYS
from tests.outreach.warehouse import OutreachWarehouse

pytestmark = pytest.mark.slow

Start = Callable[[], AbstractContextManager[DagsterServer]]

JOB = "outreach_refresh"
MARTS = [name for name in KEYS if not name.endswith("_cohort_daily")]


@pytest.fixture
def start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outreach_settings: Settings, own_database: str
) -> Start:
    """Starts `dagster dev` on the database; a second one takes over from a first that died."""
    monkeypatch.setenv("ROLLUPS_FAMILIES", "outreach")
    return lambda: dagster_server(outreach_settings, own_database, tmp_path / "dagster-dev.log")


def test_runs_repair_themselves(
    start: Start, own_server: EmbeddedPostgres, own_database: str, outreach_settings: Settings
) -> None:
    """One test, because a server of Dagster's takes long to start."""
    with ExitStack() as first:
        server = first.enter_context(start())

        # kill -9 of the run's process.
        with round_of_work(outreach_settings, own_database) as trial:
            with held(own_database, MIDDLE):
                run_id = server.launch(JOB)
                wait_for_writer(own_database, MIDDLE)
                os.kill(client_process(own_database, "rollups refresh"), signal.SIGKILL)
                assert server.wait_for_run(run_id) == "FAILURE"
                require_work_left(server, trial)
            require_repaired(server, trial, run_id)

        # PostgreSQL, with Dagster's own tables in it, ends without a word.
        with round_of_work(outreach_settings, own_database) as trial:
            with held(own_database, MIDDLE):
                run_id = server.launch(JOB)
                wait_for_writer(own_database, MIDDLE)
                own_server.stop("immediate")
            own_server.start()
            trial.warehouse = first.enter_context(open_warehouse(outreach_settings, own_database))
            assert server.wait_for_run(run_id) == "FAILURE"
            require_repaired(server, trial, run_id)

        # kill -9 of the daemon, with a run under way and another in the queue.
        with round_of_work(outreach_settings, own_database) as trial:
            with ExitStack() as second:
                with held(own_database, MIDDLE):
                    run_id, queued = server.launch(JOB), server.launch(JOB)
                    wait_for_writer(own_database, MIDDLE)
                    os.kill(process_of_group(server.group, "dagster._daemon"), signal.SIGKILL)
                    first.close()
                    server = second.enter_context(start())
                    assert server.wait_for_run(run_id) == "FAILURE"
                    require_work_left(server, trial)
                require_success(server, run_id)
                # It may have been on its way to a process when the daemon died.
                require_success(server, queued)
                trial.require_done()
                require_green_partitions_have_rows(server, trial.warehouse)


@contextmanager
def round_of_work(settings: Settings, url: str) -> Iterator[Trial]:
    """New work, and a trial of what becomes of it."""
    with OutreachWarehouse(settings, url) as warehouse:
        number = warehouse.rows("select count(*) from outbound_messages")[0][0]
        add_work(warehouse, f"work{number}")
        with Trial(warehouse) as trial:
            yield trial


def require_work_left(server: DagsterServer, trial: Trial) -> None:
    assert trial.warehouse.pending() != []
    require_green_partitions_have_rows(server, trial.warehouse)


def require_repaired(server: DagsterServer, trial: Trial, run_id: str) -> None:
    """Nobody did anything, and all is right."""
    retried = require_success(server, run_id)
    trial.require_done()
    require_green_partitions_have_rows(server, trial.warehouse)
    rebuilt = {
        f"{day}|{tenant}"
        for tenant, day in trial.warehouse.rows(
            "select tenant_id, date from ops.refresh_partition where refresh_id ="
            " (select refresh_id from ops.refresh order by started_at desc limit 1)"
        )
    }
    assert rebuilt
    assert all(keys == rebuilt for keys in server.marks(retried).values())


def require_success(server: DagsterServer, run_id: str) -> str:
    """The run that succeeded: this one, or the one that Dagster tried in its place."""
    if server.wait_for_run(run_id) == "SUCCESS":
        return run_id
    retried = server.retry_of(run_id)
    assert server.wait_for_run(retried) == "SUCCESS", server.failure(retried)
    return retried


def require_green_partitions_have_rows(server: DagsterServer, warehouse: OutreachWarehouse) -> None:
    """Each has the rows its mark tells of; more than that only where work is still pending."""
    behind = {tenant for tenant, _, _ in warehouse.pending()}
    for name in MARTS:
        counted = Counter(
            f"{day}|{tenant}"
            for tenant, day in warehouse.rows(f"select tenant_id, date from analytics.{name}")
        )
        for partition, rows in server.rows_of_marks(name).items():
            is_behind = partition.partition("|")[2] in behind
            assert counted[partition] == rows or (is_behind and counted[partition] > rows), (
                name, partition, counted[partition], rows,
            )  # fmt: skip


def process_of_group(group: int, words: str) -> int:
    """The process of a group whose command line has these words."""

    def look() -> int | None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                of_group = os.getpgid(int(process.name)) == group
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if of_group and words in command:
                return int(process.name)
        return None

    return wait_until(look, 10, f"a process of {words}")
