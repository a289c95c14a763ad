"""What every benchmark stands on: a server of its own, source rows, rollups, and a clock."""

from __future__ import annotations

import resource
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql

from orchestration.embedded.demo_data import DemoDataPlan, create_source_tables, generate
from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.connection import connect
from orchestration.warehouse.refresh import RefreshOutcome, RefreshRequest, refresh
from orchestration.warehouse.tenants import Partition

Names = dict[str, sql.Composable]

SOURCE = "dripiq_app"
SQL_FOLDER = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Cost:
    """What something took: ``wall`` seconds, and ``active`` seconds in the server's sessions."""

    wall: float
    active: float


class World:
    """A database with source rows of ``options``, and what the benchmarks do to it."""

    def __init__(self, settings: Settings, url: str, options: Namespace) -> None:
        self.settings, self.url, self.options = settings, url, options
        self.connection = connect(url, application="benchmark")
        # What the server tells of its sessions is collected by a session of its own.
        self._watching = connect(url, application="benchmark clock")

    def load(self) -> str:
        """Write the source rows; says how many."""
        create_source_tables(self.connection, SOURCE)
        plan = DemoDataPlan(
            tenants=self.options.tenants, days=self.options.days, messages=self.options.messages
        )
        summary = generate(self.connection, SOURCE, plan)
        self.connection.execute("analyze")
        return f"{sum(summary.rows.values()):,} rows"

    def deploy(self) -> None:
        """What `rollups init` does, then the rivals."""
        initialise(self.settings, self.url)
        self.script((SQL_FOLDER / "rivals.sql").read_text())

    def refresh(self, partitions: Sequence[Partition] | None = None) -> RefreshOutcome:
        """An hourly refresh, or a backfill of these partitions."""
        chosen = None if partitions is None else tuple(partitions)
        request = RefreshRequest("outreach", "benchmark", partitions=chosen)
        return refresh(self.settings, self.url, request)

    def add_events(self, name: str) -> None:
        """New opens and clicks, ``options.delta`` of them."""
        self.execute(
            (SQL_FOLDER / "delta.sql").read_text(), {"round": name, "rows": self.options.delta}
        )
        # The safe horizon stays a second behind the clock.
        time.sleep(1.5)

    def execute(
        self, text: str, values: dict[str, Any] | None = None, names: Names | None = None
    ) -> int:
        """Run SQL in which {source} and ``names`` stand for identifiers; the rows it wrote."""
        return self.connection.execute(self._compose(text, names), values).rowcount

    def script(
        self, text: str, values: dict[str, Any] | None = None, names: Names | None = None
    ) -> None:
        """Run statements one by one; ``values`` go to those that ask for them."""
        for statement in text.split(";"):
            self.execute(statement, values if "%(" in statement else None, names)

    def rows(self, text: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self.connection.execute(self._compose(text), values).fetchall()

    def _compose(self, text: str, names: Names | None = None) -> sql.Composed:
        known = {"source": sql.Identifier(SOURCE), **(names or {})}
        # No literal for the type checker: some of it is read from files of this folder.
        return sql.SQL(text).format(**known)  # type: ignore[arg-type]

    def cost(self, work: Callable[[], object]) -> Cost:
        """Do it once."""
        before = self._active()
        started = time.monotonic()
        work()
        wall = time.monotonic() - started
        return Cost(wall, self._active() - before)

    def _active(self) -> float:
        # Sessions hand in their numbers when they have been idle for a moment.
        self.connection.execute("select pg_stat_force_next_flush()")
        time.sleep(0.3)
        self._watching.execute("select pg_stat_clear_snapshot()")
        row = self._watching.execute(
            "select active_time / 1000 from pg_stat_database where datname = current_database()"
        ).fetchone()
        assert row is not None
        return float(row[0])

    def close(self) -> None:
        self.connection.close()
        self._watching.close()


@contextmanager
def new_world(options: Namespace) -> Iterator[World]:
    """A world on an embedded server in a temporary folder, with the settings of `make demo`."""
    with TemporaryDirectory(prefix="rollups-bench-", dir=options.folder) as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "server")
        world = World(Settings(families=("outreach",), home=Path(folder)), server.start(), options)
        try:
            yield world
        finally:
            world.close()
            server.stop("immediate")


def peak_megabytes() -> float:
    """The most memory that this process has had; dbt works inside it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def server_version(connection: psycopg.Connection) -> str:
    row = connection.execute("show server_version").fetchone()
    return row[0] if row else "?"
