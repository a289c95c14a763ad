"""Measure loading, the first refresh, an hourly delta and backfills; prints a table.

    python -m benchmarks [--messages N] [--tenants N] [--days N] [--delta N]

Runs on an embedded PostgreSQL of its own in a temporary folder, with the settings of ``make demo``.
Times are wall clock in seconds; each row also says how many times the "new rows" scan it took,
because machines differ.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import sql
from rich.console import Console
from rich.table import Table

from orchestration.embedded.demo_data import DemoDataPlan, create_source_tables, generate
from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.connection import connect
from orchestration.warehouse.refresh import RefreshRequest, refresh
from orchestration.warehouse.tenants import Partition

SCHEMA = "dripiq_app"
DELTA = Path(__file__).parent / "delta.sql"
SCAN = Path(__file__).parent / "scan_new_rows.sql"


class Benchmark:
    """One database, and the measurements made on it in order."""

    def __init__(self, settings: Settings, url: str, options: argparse.Namespace) -> None:
        self.settings, self.url, self.options = settings, url, options
        self.connection = connect(url, application="benchmark")
        self.results: list[tuple[str, float, str]] = []

    def measure(self, label: str, work: Callable[[], str]) -> float:
        started = time.monotonic()
        note = work()
        seconds = time.monotonic() - started
        self.results.append((label, seconds, note))
        return seconds

    def run(self) -> None:
        self.measure("sample data (COPY)", self.load)
        self.measure("deploy (rollups init)", self.deploy)
        self.measure("first refresh", self.refresh)
        self.measure("refresh, nothing to do", self.refresh)
        self.connection.execute(
            sql.SQL(DELTA.read_text()).format(source=sql.Identifier(SCHEMA)),  # type: ignore[arg-type]
            [self.options.delta],
        )
        self.measure("scan of the new rows", self.scan)
        self.measure("refresh of the new rows", self.refresh)
        self.measure("backfill, 1 tenant x 1 day", lambda: self.backfill(1, 1))
        self.measure("backfill, 4 tenants x 7 days", lambda: self.backfill(4, 7))

    def load(self) -> str:
        create_source_tables(self.connection, SCHEMA)
        plan = DemoDataPlan(
            tenants=self.options.tenants, days=self.options.days, messages=self.options.messages
        )
        summary = generate(self.connection, SCHEMA, plan)
        self.connection.execute("analyze")
        return f"{sum(summary.rows.values()):,} rows, {summary.rows_per_second:,.0f} rows/s"

    def deploy(self) -> str:
        initialise(self.settings, self.url)
        return ""

    def refresh(self) -> str:
        outcome = refresh(self.settings, self.url, RefreshRequest("outreach", "benchmark"))
        return f"{len(outcome.partitions):,} partitions"

    def scan(self) -> str:
        row = self.connection.execute(
            sql.SQL(SCAN.read_text()).format(source=sql.Identifier(SCHEMA))  # type: ignore[arg-type]
        ).fetchone()
        return f"{row[0] if row else 0:,} rows"

    def backfill(self, tenants: int, days: int) -> str:
        newest = self.connection.execute(
            "select tenant_id, max(date) from analytics.metrics_tenant_daily"
            " group by 1 order by sum(sends) desc limit %s",
            [tenants],
        ).fetchall()
        partitions = tuple(
            Partition(tenant_id, last - timedelta(days=n))
            for tenant_id, last in newest
            for n in range(days)
        )
        refresh(
            self.settings, self.url, RefreshRequest("outreach", "benchmark", partitions=partitions)
        )
        return f"{len(partitions)} partitions"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=20)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--delta", type=int, default=5_000, help="new events for the delta")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="rollups-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "server")
        benchmark = Benchmark(
            Settings(families=("outreach",), home=Path(folder)), server.start(), options
        )
        try:
            benchmark.run()
            _print(benchmark)
        finally:
            benchmark.connection.close()
            server.stop("immediate")


def _print(benchmark: Benchmark) -> None:
    scan = next(seconds for label, seconds, _ in benchmark.results if label.startswith("scan"))
    version = benchmark.connection.execute("show server_version").fetchone()
    table = Table(
        title=f"{benchmark.options.messages:,} messages, {benchmark.options.tenants} tenants,"
        f" {benchmark.options.days} days; PostgreSQL {version[0] if version else '?'},"
        f" Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )
    for column in ("what", "seconds", "x scan", ""):
        table.add_column(column, justify="left" if column in ("what", "") else "right")
    for label, seconds, note in benchmark.results:
        table.add_row(label, f"{seconds:.2f}", f"{seconds / scan:.1f}", note)
    Console().print(table)


if __name__ == "__main__":
    main()
