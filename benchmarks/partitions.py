"""How Dagster bears many partitions: 1,000 tenants over two years unless told otherwise.

    python -m benchmarks.partitions [--tenants N] [--partition-days N] [--messages N]

A real `dagster dev`. Prints what the asset page's own question takes before anything is marked,
after an hourly run with news of most tenants, and when all partitions are marked; that run; ticks
of sensors; the first minutes of a backfill over everything; and the memory of the processes.
"""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.whole_run import measure
from benchmarks.world import World, new_world, world_options
from tests.dagster_server import DagsterServer, dagster_server, wait_until

# What the page of an asset asks about its partitions.
ASSET_PAGE = """
query($name: String!) {
  assetNodeOrError(assetKey: {path: [$name]}) { ... on AssetNode {
    partitionKeysByDimension { name partitionKeys }
    assetPartitionStatuses { ... on MultiPartitionStatuses { ranges {
      primaryDimStartKey primaryDimEndKey
      secondaryDim { ... on DefaultPartitionStatuses { materializedPartitions } }
    } } }
  } }
}"""
ASSET = "metrics_tenant_daily"
# A mark of this asset, repeated for every partition.
MARK_ALL = """
insert into dagster.event_logs (
    run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition
)
select
    mark.run_id, replace(mark.event, mark.partition, keys.key), mark.dagster_event_type,
    mark.timestamp, mark.step_key, mark.asset_key, keys.key
from (
    select * from dagster.event_logs
    where asset_key = %(asset)s and dagster_event_type = 'ASSET_MATERIALIZATION'
    order by id desc
    limit 1
) as mark
cross join (select unnest(%(keys)s::text[]) as key) as keys
"""
TICKS = """
select percentile_disc(0.5) within group (order by ended - begun)
from (
    select
        (tick_body::json ->> 'end_timestamp')::float8 as ended,
        (tick_body::json ->> 'timestamp')::float8 as begun
    from dagster.job_ticks
    where type = 'SENSOR'
) as looks
where ended is not null
"""
RUNS_OF_BACKFILL = """
select count(*), count(*) filter (where runs.status <> 'QUEUED')
from dagster.runs
inner join dagster.run_tags as tags on runs.run_id = tags.run_id
where tags.key = 'dagster/backfill' and tags.value = %(backfill)s
"""
WATCHED_SECONDS = 200


def main() -> None:
    options = _options()
    first = datetime.now(UTC).date() - timedelta(days=options.partition_days)
    # The processes of Dagster read it.
    os.environ["ROLLUPS_START_DATE"] = first.isoformat()
    table = Table(title=f"{options.tenants:,} tenants x {options.partition_days:,} days")
    table.add_column("what")
    table.add_column("", justify="right")
    with new_world(options) as world:
        world.load()
        world.deploy()
        world.refresh()
        with dagster_server(
            world.settings, world.url, Path(world.settings.home) / "dagster-dev.log"
        ) as server:
            _tell(server, world, table, options)
    Console(width=110).print(table)


def _tell(server: DagsterServer, world: World, table: Table, options: Namespace) -> None:
    def all_tenants() -> bool:
        return len(_keys(server)["tenant"]) >= options.tenants

    wait_until(all_tenants, 300, "the sensor has added all tenants")
    keys = _keys(server)
    table.add_row("partitions", f"{len(keys['tenant']) * len(keys['date']):,}")
    table.add_row("asset page, s", f"{_timed(lambda: _page(server)):.2f}")
    measure(world, server)
    world.add_events()
    segments, marks = measure(world, server)
    table.add_row("hourly run, s", f"{sum(segments.values()):.1f}")
    for segment, took in segments.items():
        table.add_row(f"  {segment}", f"{took:.1f}")
    table.add_row("marks in it", f"{marks:,}")
    table.add_row("asset page after it, s", f"{_timed(lambda: _page(server)):.2f}")
    table.add_row("tick of a sensor, median s", f"{world.rows(TICKS)[0][0]:.2f}")
    table.add_row("memory of all Dagster processes, MB", f"{_megabytes(server.group):,.0f}")
    every = [f"{date}|{tenant}" for date in keys["date"] for tenant in keys["tenant"]]
    world.execute(MARK_ALL, {"asset": f'["{ASSET}"]', "keys": every})
    # Dagster looks for marks again when a run has made one.
    world.add_events()
    measure(world, server)
    for what in ("all marked, first time", "the same again"):
        table.add_row(f"asset page, {what}, s", f"{_timed(lambda: _page(server)):.2f}")
    table.add_row("memory of all Dagster processes, MB", f"{_megabytes(server.group):,.0f}")
    _tell_of_backfill(server, world, table, every)
    table.add_row("memory of all Dagster processes then, MB", f"{_megabytes(server.group):,.0f}")


def _tell_of_backfill(
    server: DagsterServer, world: World, table: Table, every: Sequence[str]
) -> None:
    """A backfill over all partitions, watched for a while and then left alone."""
    started = time.monotonic()
    backfill = server.backfill(every, [ASSET])
    table.add_row("backfill over all accepted after, s", f"{time.monotonic() - started:.1f}")
    first_run, runs, begun = None, 0, 0
    while time.monotonic() - started < WATCHED_SECONDS:
        ((runs, begun),) = world.rows(RUNS_OF_BACKFILL, {"backfill": backfill})
        if begun and first_run is None:
            first_run = time.monotonic() - started
        time.sleep(1)
    table.add_row("  first run begins after, s", f"{first_run:.0f}" if first_run else "never")
    table.add_row(f"  runs made in {WATCHED_SECONDS} s", f"{runs:,}")
    table.add_row("  runs begun or done then", f"{begun:,}")
    table.add_row("  asset page meanwhile, s", f"{_timed(lambda: _page(server)):.2f}")


def _page(server: DagsterServer) -> object:
    return server.ask(ASSET_PAGE, name=ASSET)


def _keys(server: DagsterServer) -> dict[str, list[str]]:
    """The keys of each dimension."""
    node = server.ask(ASSET_PAGE, name=ASSET)["assetNodeOrError"]
    return {each["name"]: each["partitionKeys"] for each in node["partitionKeysByDimension"]}


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _megabytes(group: int) -> float:
    """Resident memory of a process group."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                pages += int((folder / "statm").read_text().split()[1])
        except (ProcessLookupError, FileNotFoundError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _options() -> Namespace:
    parser = world_options("benchmarks.partitions", __doc__, tenants=1_000, days=30)
    parser.add_argument("--partition-days", type=int, default=730, help="days that Dagster knows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
