"""What every benchmark stands on: a server of its own, source rows, rollups, and a clock."""

from __future__ import annotations

import resource
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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

Names = Mapping[str, sql.Composable]

# Where the source tables of a family are.
SOURCES = {"outreach": "dripiq_app", "support": "public"}
SQL_FOLDER = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Cost:
    """What something took.

    ``wall`` seconds, ``active`` seconds in the server's sessions, and the 8 kB ``pages`` that these
    asked for, in memory or not: seconds depend on where the pages were, their number does not.
    """

    wall: float
    active: float
    pages: int


class World:
    """A database with source rows of ``options``, and what the benchmarks do to it."""

    def __init__(self, settings: Settings, url: str, options: Namespace) -> None:
        self.settings, self.url, self.options = settings, url, options
        (self.family,) = settings.families
        self.connection = connect(url, application="benchmark")
        # What the server tells of its sessions is collected by a session of its own.
        self._watching = connect(url, application="benchmark clock")

    @property
    def is_loaded(self) -> bool:
        """Whether an earlier benchmark has left its rows here."""
        return bool(self.rows("select 1 from pg_namespace where nspname = 'bench'"))

    def load(self) -> str:
        """Write the source rows; says how many."""
        source = SOURCES[self.family]
        create_source_tables(self.connection, source, self.family)
        plan = DemoDataPlan(
            tenants=self.options.tenants, days=self.options.days, messages=self.options.messages
        )
        summary = generate(self.connection, source, plan, family=self.family)
        self.connection.execute("analyze")
        return f"{sum(summary.rows.values()):,} rows"

    def deploy(self) -> None:
        """What `rollups init` does, then the rivals."""
        initialise(self.settings, self.url)
        self.execute("drop schema if exists bench cascade")
        self.script((SQL_FOLDER / f"rivals_{self.family}.sql").read_text())

    def refresh(self, partitions: Sequence[Partition] | None = None) -> RefreshOutcome:
        """An hourly refresh, or a backfill of these partitions."""
        chosen = None if partitions is None else tuple(partitions)
        request = RefreshRequest(self.family, "benchmark", partitions=chosen)
        return refresh(self.settings, self.url, request)

    def add_events(self) -> None:
        """New events of ``options.delta`` messages (or conversations)."""
        self.execute(
            (SQL_FOLDER / f"delta_{self.family}.sql").read_text(),
            {"round": f"hour{time.time_ns()}", "rows": self.options.delta},
        )
        # The safe horizon stays a second behind the clock.
        time.sleep(1.5)

    def execute(
        self, text: str, values: dict[str, Any] | None = None, names: Names | None = None
    ) -> int:
        """Run SQL in which {source} and ``names`` stand for identifiers; the rows it wrote."""
        return self.connection.execute(self.compose(text, names), values).rowcount

    def script(
        self, text: str, values: dict[str, Any] | None = None, names: Names | None = None
    ) -> None:
        """Run statements one by one; ``values`` go to those that ask for them."""
        for statement in text.split(";"):
            self.execute(statement, values if "%(" in statement else None, names)

    def rows(self, text: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self.connection.execute(self.compose(text), values).fetchall()

    def compose(self, text: str, names: Names | None = None) -> sql.Composed:
        """SQL in which {source} and ``names`` stand for identifiers."""
        known = {"source": sql.Identifier(SOURCES[self.family]), **(names or {})}
        # No literal for the type checker: some of it is read from files of this folder.
        return sql.SQL(text).format(**known)  # type: ignore[arg-type]

    def cost(self, work: Callable[[], object]) -> Cost:
        """Do it once."""
        active, pages = self._spent()
        started = time.monotonic()
        work()
        wall = time.monotonic() - started
        active_after, pages_after = self._spent()
        return Cost(wall, active_after - active, pages_after - pages)

    def _spent(self) -> tuple[float, int]:
        # Sessions hand in their numbers when they have been idle for a moment.
        self.connection.execute("select pg_stat_force_next_flush()")
        time.sleep(0.3)
        self._watching.execute("select pg_stat_clear_snapshot()")
        row = self._watching.execute(
            "select active_time / 1000, blks_hit + blks_read from pg_stat_database"
            " where datname = current_database()"
        ).fetchone()
        assert row is not None
        return float(row[0]), int(row[1])

    def close(self) -> None:
        self.connection.close()
        self._watching.close()


def world_options(program: str, text: str | None, *, tenants: int, days: int) -> ArgumentParser:
    """The options that every benchmark has; ``text`` says what it is."""
    parser = ArgumentParser(prog=f"python -m {program}", description=text)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=tenants)
    parser.add_argument("--days", type=int, default=days)
    parser.add_argument("--delta", type=int, default=5_000, help="new events of an hour")
    parser.add_argument("--rounds", type=int, default=3, help="how often it is measured")
    parser.add_argument("--folder", help="where the temporary database is made")
    return parser


@contextmanager
def new_world(
    options: Namespace, family: str = "outreach", keep: str | None = None
) -> Iterator[World]:
    """A world on an embedded server of its own, with the settings of `make demo`.

    Its folder is a temporary one, or ``keep``, which stays.
    """
    with ExitStack() as stack:
        folder = keep
        if folder is None:
            place = TemporaryDirectory(prefix="rollups-bench-", dir=options.folder)
            folder = stack.enter_context(place)
        Path(folder).mkdir(exist_ok=True)
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "server")
        world = World(Settings(families=(family,), home=Path(folder)), server.start(), options)
        try:
            yield world
        finally:
            world.close()
            server.stop("immediate" if keep is None else "fast")


def peak_megabytes() -> float:
    """The most memory that this process has had; dbt works inside it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def server_version(connection: psycopg.Connection) -> str:
    row = connection.execute("show server_version").fetchone()
    return row[0] if row else "?"
