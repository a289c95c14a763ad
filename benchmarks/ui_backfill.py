"""A backfill of all partitions by the command line and from the UI, and an hourly run meanwhile.

    python -m benchmarks.ui_backfill [--messages N] [--tenants N] [--days N] [--delta N]

A real `dagster dev`; from the click until every partition is green.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.whole_run import measure
from benchmarks.world import World, new_world, world_options
from orchestration.partitions import partition_key
from orchestration.warehouse.tenants import Partition
from tests.dagster_server import DagsterServer, dagster_server, wait_until

ASSET = "metrics_tenant_daily"
PERIOD = """
select distinct tenant_id, min(date) over (), max(date) over ()
from analytics.metrics_tenant_daily
order by tenant_id
"""
STARTED = "select count(*) from dagster.runs where status = 'STARTED'"


def main() -> None:
    options = world_options("benchmarks.ui_backfill", __doc__, tenants=20, days=90).parse_args()
    with new_world(options) as world:
        world.load()
        world.deploy()
        world.refresh()
        partitions = _all_partitions(world)
        by_command = world.cost(lambda: world.refresh(partitions)).wall
        log_path = Path(world.settings.home) / "dagster-dev.log"
        with dagster_server(world.settings, world.url, log_path) as server:
            _hour(world, server)
            usual = _hour(world, server)
            from_click, meanwhile = _backfill(world, server, partitions)
    table = Table(title=f"{options.messages:,} messages, {len(partitions):,} partitions, seconds")
    table.add_column("what")
    table.add_column("s", justify="right")
    table.add_row("backfill by the command line, one run", f"{by_command:.0f}")
    table.add_row("backfill from the UI, click to green", f"{from_click:.0f}")
    table.add_row("hourly run, usually", f"{usual:.1f}")
    table.add_row("hourly run during the backfill", f"{meanwhile:.1f}")
    Console(width=110).print(table)


def _all_partitions(world: World) -> list[Partition]:
    rows = world.rows(PERIOD)
    _, first, last = rows[0]
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [Partition(tenant, day) for tenant, _, _ in rows for day in days]


def _hour(world: World, server: DagsterServer) -> float:
    world.add_events()
    segments, _ = measure(world, server)
    return sum(segments.values())


def _backfill(
    world: World, server: DagsterServer, partitions: list[Partition]
) -> tuple[float, float]:
    started = time.monotonic()
    backfill = server.backfill([partition_key(each) for each in partitions], [ASSET])
    wait_until(lambda: world.rows(STARTED)[0][0] > 0, 120, "a run of the backfill")
    meanwhile = _hour(world, server)
    done = server.wait_for_backfill(backfill, seconds=3_600)
    if done["status"] != "COMPLETED_SUCCESS":
        raise RuntimeError(f"backfill {backfill}: {done['status']}")
    return time.monotonic() - started, meanwhile


if __name__ == "__main__":
    main()
