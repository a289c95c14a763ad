"""Dagster as a child process: its webserver and daemon, and a first refresh that it records."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from orchestration.cli.output import Output, Step
from orchestration.errors import InputError, RefreshError, RollupsError

if TYPE_CHECKING:
    from orchestration.settings import Settings

PORTS_TRIED = 50
READY_SECONDS = 300.0
STOP_SECONDS = 20.0
_NODE = re.compile(r"(\d+) of (\d+): (\w+)")


def run(output: Output, settings: Settings, url: str, *, read_only: bool = False) -> None:
    """Run the Dagster UI, the schedule and the sensors in the foreground until Ctrl-C.

    ``read_only``: the UI alone, in which nothing can be started; any number of them.
    """
    from orchestration.dagster_environment import (
        dagster_command,
        dagster_environment,
        read_only_command,
    )

    with nullcontext() if read_only else _only_one(settings):
        port = free_port(settings.web_port)
        if port != settings.web_port:
            output.note(
                f"port {settings.web_port} is taken by another program: using {port}"
                " (ROLLUPS_WEB_PORT chooses one)"
            )
        environment = os.environ | dagster_environment(settings, url)
        of_port = settings.model_copy(update={"web_port": port})
        command = read_only_command(of_port) if read_only else dagster_command(of_port)
        address = f"http://127.0.0.1:{port}"
        output.note(f"starting Dagster on {address} ...")
        process = subprocess.Popen(
            command, cwd=environment["DAGSTER_HOME"], env=environment, start_new_session=True
        )
        try:
            arguments = (output, process, address)
            threading.Thread(target=_announce, args=arguments, daemon=True).start()
            code = process.wait()
        except KeyboardInterrupt:
            with output.step("stopping Dagster"):
                stop_group(process)
            return
        stop_group(process)
    raise RollupsError(f"Dagster ended with code {code}: its messages are above")


def refresh_through_dagster(output: Output, settings: Settings, url: str, family: str) -> None:
    """The first load, as a Dagster run, so that its partitions are marked in the UI."""
    from orchestration.dagster_environment import dagster_environment

    log_path = settings.home / "logs" / f"first-refresh-{family}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "dagster", "job", "execute"]
    command += ["-m", "orchestration.definitions", "-j", f"{family}_refresh"]
    environment = os.environ | dagster_environment(settings, url)
    with output.step(f"first refresh of {family}") as step, log_path.open("w") as log:
        process = subprocess.Popen(
            command, cwd=environment["DAGSTER_HOME"], env=environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        try:
            code = _follow(process, step, log)
        except BaseException:
            stop_group(process)
            raise
    if code != 0:
        raise RefreshError(f"first refresh of {family}: {_reason(log_path)} (see {log_path})")


def free_port(wanted: int) -> int:
    """The wanted port of 127.0.0.1, or the next one that is free."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise InputError(f"no free port from {wanted} on: set ROLLUPS_WEB_PORT to a free one")


def stop_group(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End a process and all it started, as Ctrl-C would; harder after a while."""
    with signals_ignored():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                if process.poll() is not None and not _group_lives(process.pid):
                    return
                time.sleep(0.1)


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Two daemons on one Dagster home would both run the schedule."""
    from filelock import FileLock, Timeout

    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "running.lock", timeout=0):
            yield
    except Timeout:
        raise InputError(
            f"Dagster runs already for {settings.home}: end that one first,"
            " or set ROLLUPS_HOME to another folder"
        ) from None


@contextmanager
def signals_ignored() -> Iterator[None]:
    """A second Ctrl-C does not interrupt what puts things away."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _group_lives(group: int) -> bool:
    """Whether a process of the group runs; one that only waits to be reaped does not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not Path("/proc/self/stat").exists():
        return True
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False


def _follow(process: subprocess.Popen[str], step: Step, log: TextIO) -> int:
    for line in process.stdout or ():
        log.write(line)
        if found := _NODE.search(line):
            step.advance(int(found[1]), int(found[2]), found[3])
    return process.wait()


def _reason(log_path: Path) -> str:
    """The line of a run's log that says why it failed."""
    lines = [line.strip() for line in log_path.read_text().splitlines() if line.strip()]
    marks = ("Failure: ", "Error: ", "RUN_FAILURE")
    found = (line for mark in marks for line in reversed(lines) if mark in line)
    return next(found, "it failed")[:300]


def _announce(output: Output, process: subprocess.Popen[bytes], address: str) -> None:
    import urllib.error
    import urllib.request

    started = time.monotonic()
    while process.poll() is None and time.monotonic() - started < READY_SECONDS:
        with suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"{address}/server_info", timeout=2):
                output.note(
                    f"Dagster is ready after {time.monotonic() - started:.0f} s: {address}"
                    " (Ctrl-C ends it)"
                )
                return
        time.sleep(0.3)
