"""Runs whose server has died."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from dagster import DagsterRun
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from orchestration.launching import WatchedRunLauncher


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
