"""Launching runs soon, and noticing that the process which was to run one is gone."""

from __future__ import annotations

import json
import multiprocessing
import socket
import sys
from typing import Any

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon import controller
from dagster._grpc.server import DagsterApiServer

CONNECT_SECONDS = 5.0


def fork_runs() -> None:
    """Have the code server of this process fork its runs from one that has imported everything.

    Dagster starts each run as a new Python, which takes seconds to import what the one before had
    imported too. The forked ones see the code that the server was started with, as its pages do.
    Elsewhere than on Linux, where forking is not safe, all stays as it is.
    """
    if sys.platform != "linux":
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["orchestration.run_imports"])
    # The server chooses by an attribute of its own; a property goes before that.
    kept = property(lambda server: context, lambda server, given: None)
    DagsterApiServer._mp_ctx = kept  # pyright: ignore[reportAttributeAccessIssue]


class PromptRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue, whose daemon looks for backfills as often as for runs.

    It looks for those that were launched, and for those that are done, twice a minute, and has no
    setting for it. Named in ``dagster.yaml``, so that the daemon makes one before it starts.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        controller.DEFAULT_DAEMON_INTERVAL_SECONDS = self.dequeue_interval_seconds


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher, whose runs end as failed when the server they were given to has died.

    That server notices when a run's process dies, but nobody notices when both do, as at a
    restart of the machine: the run would count as started, and hold its place in the pool, until
    its longest time is over. Named in ``dagster.yaml``; run monitoring asks.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        if server_is_gone(run.tags.get(GRPC_INFO_TAG)):
            return CheckRunHealthResult(WorkerStatus.FAILED, "the server of this run has ended")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def server_is_gone(server: str | None) -> bool:
    """Whether nobody listens any more where a run was sent; a slow or far server is not gone."""
    place = json.loads(server or "{}")
    path, port = place.get("socket"), place.get("port")
    if path is None and port is None:
        return False
    try:
        if path is None:
            socket.create_connection((place["host"], port), CONNECT_SECONDS).close()
        else:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(CONNECT_SECONDS)
                probe.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        return False
    return False
