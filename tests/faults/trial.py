"""A warehouse with work to do, a fault in the middle of it, and what has to hold afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from orchestration.dbt_runner import project_environment
from orchestration.errors import RollupsError
from orchestration.settings import DBT_PROJECT_DIR, PROJECT_ROOT, Settings
from orchestration.warehouse.connection import connect, libpq_environment
from orchestration.warehouse.refresh import RefreshRequest, refresh
from tests.dagster_server import wait_until
from tests.faults.observing import Reader, advisory_locks, mart_states, sessions_of_ours
from tests.outreach.warehouse import OutreachWarehouse

START = datetime(2026, 3, 2, 9)
TENANTS = ("acme", "birch")
LET_GO_SECONDS = 20


def fill(warehouse: OutreachWarehouse) -> None:
    """Two tenants, five days, a message a day, delivered and opened."""
    for tenant in TENANTS:
        warehouse.add_tenant(tenant)
        warehouse.add_contact(tenant, f"{tenant}_ann", f"ann@{tenant}.example")
        for day in range(5):
            add_message(warehouse, tenant, f"{tenant}_{day}", START + timedelta(days=day))


def add_work(warehouse: OutreachWarehouse, name: str = "late") -> None:
    """Something new for every mart: a message on a day that has one, and a click on an old one."""
    now = datetime.now()
    for tenant in TENANTS:
        add_message(warehouse, tenant, f"{tenant}_{name}", START + timedelta(days=2), now)
        click = f"{tenant}_0_{name}"
        warehouse.add_event(tenant, f"{tenant}_0", click, "click", START, created_at=now)


def add_message(
    warehouse: OutreachWarehouse,
    tenant: str,
    message: str,
    at: datetime,
    ingested: datetime | None = None,
) -> None:
    known = {"created_at": ingested or at, "updated_at": ingested or at}
    warehouse.add_message(tenant, f"{tenant}_ann", message, at, **known)
    for kind, later in (("delivered", 1), ("open", 90)):
        event_at = at + timedelta(minutes=later)
        known = {"created_at": ingested or event_at, "updated_at": ingested or event_at}
        warehouse.add_event(tenant, message, f"{message}_{kind}", kind, event_at, **known)


class Trial:
    """Watches the marts from before the fault until after the repair."""

    def __init__(self, warehouse: OutreachWarehouse) -> None:
        self.warehouse = warehouse
        self.before = mart_states(warehouse.connection)
        self.reader = Reader(warehouse.url)

    def __enter__(self) -> Self:
        self.reader.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.__exit__(None, None, None)

    def status(self) -> str:
        """What is said of the refresh that began last."""
        return self.warehouse.rows(
            "select status from ops.refresh order by started_at desc limit 1"
        )[0][0]

    def error(self) -> str:
        """Why the refresh that began last has failed."""
        return self.warehouse.rows(
            "select coalesce(error, '') from ops.refresh order by started_at desc limit 1"
        )[0][0]

    def require_let_go(self) -> None:
        """Nothing of the refresh lives on in the server: no session and no lock."""
        connection = self.warehouse.connection

        def gone() -> bool:
            return not sessions_of_ours(connection) and not advisory_locks(connection)

        wait_until(gone, LET_GO_SECONDS, f"sessions to end: {sessions_of_ours(connection)}")

    def require_ended(self, status: str) -> None:
        """The fault has ended the refresh, of which nothing lives on."""
        self.require_let_go()
        assert self.status() == status

    def require_pending(self, status: str) -> None:
        """The fault has ended the refresh, and its work is still to be done."""
        self.require_ended(status)
        assert self.warehouse.pending() != []

    def require_healed(self) -> None:
        """The next refresh does all of it, and nobody has seen anything but whole states."""
        self.warehouse.refresh()
        self.require_done()

    def require_done(self) -> None:
        """All work is done and right, and nobody has seen anything but whole states."""
        warehouse = self.warehouse
        assert warehouse.differences() == []
        assert warehouse.pending() == []
        for leftover in ("ops.refresh_claim", "ops.outreach_touched",
                         "ops.outreach_activity_change", "ops.outreach_message_change",
                         "intermediate.outreach_scope_subjects"):  # fmt: skip
            assert warehouse.rows(f"select * from {leftover}") == [], leftover
        after = mart_states(warehouse.connection)
        reads = self.reader.reads
        wait_until(lambda: self.reader.reads > reads, 10, "another look of the reader")
        assert [name for name, state in after.items() if state == self.before[name]] == []
        assert self.reader.mixed(self.before, after) == []
        assert all(len(states) == 2 for states in self.reader.seen.values()), "both were seen"


class RefreshInThread:
    """A refresh in this process, beside the test."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(settings, url), daemon=True)
        self._thread.start()

    def fails(self, seconds: float = 60) -> str:
        """The one line with which it failed."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the refresh hangs"
        assert isinstance(self.failure, RollupsError), repr(self.failure)
        message = str(self.failure)
        assert "\n" not in message
        return message

    def _run(self, settings: Settings, url: str) -> None:
        try:
            refresh(settings, url, RefreshRequest("outreach", "test"))
        except Exception as error:
            self.failure = error


@contextmanager
def program(
    arguments: Sequence[str], folder: Path, settings: Settings, url: str, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """A Python program of ours in a process of its own; killed at the end if it still runs."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ROLLUPS_", "PG", "DBT_"))
    }
    ours = {
        "ROLLUPS_HOME": str(settings.home),
        "ROLLUPS_DATABASE_URL": url,
        "ROLLUPS_FAMILIES": "outreach",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder, env=inherited | ours | variables, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 of the program and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def refresh_program(settings: Settings, url: str):
    """`rollups refresh`."""
    return program(["orchestration.cli", "refresh"], PROJECT_ROOT, settings, url)


def dbt_program(settings: Settings, url: str, target: Path, *arguments: str, **variables: str):
    """A dbt command by itself, without anything of Rollups around it."""
    environment: Mapping[str, str] = libpq_environment(url) | project_environment(settings)
    folders = ["--profiles-dir", ".", "--target-path", str(target), "--log-path", str(target)]
    return program(
        ["dbt.cli.main", *arguments, *folders], DBT_PROJECT_DIR, settings, url,
        **environment, **variables,
    )  # fmt: skip


def open_warehouse(settings: Settings, url: str) -> OutreachWarehouse:
    """A warehouse, once its server answers."""

    def look() -> OutreachWarehouse | None:
        connect(url, application="test").close()
        return OutreachWarehouse(settings, url)

    return wait_until(look, 30, "the server")
