"""A real `dagster dev` of this project, and what a browser would ask of it over GraphQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from orchestration.dagster_environment import dagster_command, dagster_environment
from orchestration.settings import Settings

Found = TypeVar("Found")

READY_SECONDS = 180.0
STOP_SECONDS = 20.0
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")

_REPOSITORY = {"repositoryLocationName": "rollups", "repositoryName": "__repository__"}
_LAUNCH = """
mutation($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
_BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
_BACKFILL_STATUS = """
query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status runs { id status } }
  }
}"""
_RUN = """
query($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { status tags { key value } assetMaterializations { partition assetKey { path } } }
  }
}"""
_FAILURE = """
query($id: ID!) {
  logsForRun(runId: $id) { ... on EventConnection { events {
    ... on ExecutionStepFailureEvent { failureMetadata { description } error { message } }
    ... on RunFailureEvent { message }
  } } }
}"""
_LOADED = """
{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename ... on PythonError { message } }
} } } }"""


_RETRIES = """
query($id: String!) {
  runsOrError(filter: {tags: [{key: "dagster/parent_run_id", value: $id}]}) {
    ... on Runs { results { id } }
  }
}"""
_MARKED = """
query($name: String!) {
  assetOrError(assetKey: {path: [$name]}) {
    ... on Asset { assetMaterializations(limit: 1000) {
      partition metadataEntries { label ... on IntMetadataEntry { intValue } }
    } }
  }
}"""
_CHECKS = """
query($name: String!) {
  assetNodeOrError(assetKey: {path: [$name]}) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks {
      name executionForLatestMaterialization { status }
    } } }
  } }
}"""


class DagsterServer:
    """Talks to a webserver at ``address``; its processes are the process group ``group``."""

    def __init__(self, address: str, group: int) -> None:
        self.address = address
        self.group = group

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer; errors of the query itself raise."""
        request = urllib.request.Request(
            f"{self.address}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            document = json.load(answer)
        assert "errors" not in document, document["errors"]
        return document["data"]

    def launch(self, job: str, tags: Mapping[str, str] | None = None) -> str:
        """Put a run of a job into the queue; its id."""
        params = {
            "selector": {**_REPOSITORY, "pipelineName": job},
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]
            },
        }
        launched = self.ask(_LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def backfill(self, keys: Sequence[str], assets: Iterable[str]) -> str:
        """Launch a backfill of assets as the asset page does; its id."""
        selection = [{"path": [name]} for name in assets]
        return self._backfill({"partitionNames": keys, "assetSelection": selection})

    def backfill_job(self, keys: Sequence[str], job: str) -> str:
        """Launch a backfill of a job, which this project refuses to run; its id."""
        selector = {"partitionSetName": f"{job}_partition_set", "repositorySelector": _REPOSITORY}
        return self._backfill({"partitionNames": keys, "selector": selector})

    def _backfill(self, params: dict[str, Any]) -> str:
        launched = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def wait_for_backfill(self, backfill_id: str, seconds: float = 150) -> dict[str, Any]:
        """Status and runs of a backfill once it has ended."""

        def ended() -> dict[str, Any] | None:
            found = self.ask(_BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"]
            return None if found["status"] in ("REQUESTED", "FAILING", "CANCELING") else found

        return wait_until(ended, seconds, f"backfill {backfill_id}")

    def wait_for_run(self, run_id: str, seconds: float = 120) -> str:
        """Status of a run once it has ended."""

        def ended() -> str | None:
            status = self.ask(_RUN, id=run_id)["runOrError"]["status"]
            return status if status in FINISHED else None

        return wait_until(ended, seconds, f"run {run_id}")

    def marks(self, run_id: str) -> dict[str, set[str | None]]:
        """Partition keys a run has marked, by asset."""
        marked: dict[str, set[str | None]] = {}
        for mark in self.ask(_RUN, id=run_id)["runOrError"]["assetMaterializations"]:
            marked.setdefault(mark["assetKey"]["path"][-1], set()).add(mark["partition"])
        return marked

    def retry_of(self, run_id: str, seconds: float = 60) -> str:
        """The run that Dagster has started in place of a failed one, once it has."""

        def started() -> str | None:
            results = self.ask(_RETRIES, id=run_id)["runsOrError"]["results"]
            return results[0]["id"] if results else None

        return wait_until(started, seconds, f"another try of run {run_id}")

    def checks(self, asset: str) -> dict[str, str | None]:
        """The checks of an asset, and the result that its page shows of each."""
        found = self.ask(_CHECKS, name=asset)["assetNodeOrError"]["assetChecksOrError"]["checks"]
        shown = {check["name"]: check["executionForLatestMaterialization"] for check in found}
        return {name: each and each["status"] for name, each in shown.items()}

    def rows_of_marks(self, asset: str) -> dict[str, int]:
        """The rows that the latest mark of each partition of an asset speaks of."""
        found = self.ask(_MARKED, name=asset)["assetOrError"].get("assetMaterializations", [])
        rows: dict[str, int] = {}
        for mark in found:
            numbers = {each["label"]: each.get("intValue") for each in mark["metadataEntries"]}
            rows.setdefault(mark["partition"], numbers["dagster/partition_row_count"])
        return rows

    def commands(self) -> list[str]:
        """The command lines of all its processes."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                group = (folder / "stat").read_text().rpartition(")")[2].split()[2]
                if int(group) == self.group:
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
        return found

    def failure(self, run_id: str) -> str:
        """What the run says of its failure."""
        events = self.ask(_FAILURE, id=run_id)["logsForRun"]["events"]
        said = [event.get("failureMetadata") or event.get("error") or event for event in events]
        return " ".join(each.get("description") or each.get("message") or "" for each in said)


@contextmanager
def dagster_server(
    settings: Settings,
    url: str,
    log_path: Path,
    command: Callable[[Settings], list[str]] = dagster_command,
) -> Iterator[DagsterServer]:
    """`dagster dev` with its webserver and daemon; its whole process group ends with the block."""
    port = free_port()
    with log_path.open("a") as log:
        process = subprocess.Popen(
            command(settings.model_copy(update={"web_port": port})),
            cwd=log_path.parent, env=os.environ | dagster_environment(settings, url),
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    server = DagsterServer(f"http://127.0.0.1:{port}", process.pid)

    def loaded() -> bool:
        assert process.poll() is None, log_path.read_text()
        with suppress(OSError):
            entries = server.ask(_LOADED)["workspaceOrError"]["locationEntries"]
            error = [entry["locationOrLoadError"] for entry in entries if entry]
            assert not any(each and each["__typename"] == "PythonError" for each in error), error
            return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)
        return False

    try:
        wait_until(loaded, READY_SECONDS, f"dagster dev, see {log_path}")
        yield server
    finally:
        _end_group(process)


def wait_until(look: Callable[[], Found | None], seconds: float, what: str) -> Found:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
