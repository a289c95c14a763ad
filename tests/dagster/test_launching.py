"""How runs are started, and runs whose server has died."""

from __future__ import annotations

import inspect
import json
import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from dagster import DagsterRun
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon import controller
from dagster._daemon.backfill import execute_backfill_iteration_loop

from orchestration.launching import PromptRunCoordinator, WatchedRunLauncher
from orchestration.run_imports import IMPORTED_BY_A_RUN


def status(**place: object) -> WorkerStatus:
    tags = {GRPC_INFO_TAG: json.dumps(place)} if place else {}
    run = DagsterRun(job_name="a_job", tags=tags)
    return WatchedRunLauncher().check_run_worker_health(run).status


def test_run_of_a_server_at_a_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "server")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert status(host="localhost", socket=path) == WorkerStatus.RUNNING
    assert status(host="localhost", socket=path) == WorkerStatus.FAILED, "nobody listens"
    Path(path).unlink()
    assert status(host="localhost", socket=path) == WorkerStatus.FAILED, "no such file"


def test_run_of_a_server_at_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert status(host="127.0.0.1", port=port) == WorkerStatus.RUNNING
    assert status(host="127.0.0.1", port=port) == WorkerStatus.FAILED


def test_what_is_not_known_counts_as_running() -> None:
    assert status() == WorkerStatus.RUNNING, "not yet given to a server"
    assert status(host="no-such-host.invalid", port=1) == WorkerStatus.RUNNING


def test_what_runs_are_forked_from_has_no_thread_and_no_connection(test_home: Path) -> None:
    for module in IMPORTED_BY_A_RUN:
        import_module(module)
    _python("import orchestration.definitions", test_home)  # parses the project, as a server has
    told = _python(
        "import orchestration.run_imports, os, stat\n"
        "from orchestration.dbt_runner import dbt_project\n"
        "from orchestration.settings import load_settings\n"
        "dbt_project(load_settings()).warm_up()\n"
        "print(len(os.listdir('/proc/self/task')))\n"
        "for number in os.listdir('/proc/self/fd'):\n"
        "    try: print(*['socket'] * stat.S_ISSOCK(os.fstat(int(number)).st_mode))\n"
        "    except OSError: pass",
        test_home,
    )
    assert told.split() == ["1"]


def test_the_daemon_looks_for_backfills_as_often_as_for_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "DEFAULT_DAEMON_INTERVAL_SECONDS"
    monkeypatch.setattr(controller, name, getattr(controller, name))
    PromptRunCoordinator(dequeue_interval_seconds=3)
    assert getattr(controller, name) == 3
    assert name in inspect.getsource(execute_backfill_iteration_loop), "what it sleeps for"


def _python(code: str, home: Path) -> str:
    environment = {**os.environ, "ROLLUPS_HOME": str(home)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
