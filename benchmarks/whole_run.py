"""Where the seconds of an hourly run go, from the click or tick to green in the UI.

    python -m benchmarks.whole_run [--messages N] [--delta N] [--rounds N]

A real `dagster dev` with daemon and webserver; the times are those of the run's own events.
"""

from __future__ import annotations

import statistics
import time
from argparse import Namespace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.world import World, new_world, world_options
from tests.dagster_server import DagsterServer, dagster_server

# From one event to the next; the first is the moment of asking.
SEGMENTS = {
    "PIPELINE_ENQUEUED": "asked, written down, queued",
    "PIPELINE_STARTING": "waits for the daemon's next look (every second)",
    "PIPELINE_START": "process starts, imports, code location loads",
    "STEP_START": "plan and resources",
    "STEP_SUCCESS": "refresh: capture, dbt, SQL, marks, checks",
    "PIPELINE_SUCCESS": "ends",
}
EVENTS = """
select dagster_event_type, extract(epoch from max(timestamp))::float8
from dagster.event_logs
where run_id = %(run)s and dagster_event_type = any(%(types)s)
group by 1
"""
MARKS = """
select count(*) from dagster.event_logs
where run_id = %(run)s and dagster_event_type = 'ASSET_MATERIALIZATION'
"""


def measure(world: World, server: DagsterServer) -> tuple[dict[str, float], int]:
    """Seconds of every segment of one run, and how many partitions it marked."""
    asked = time.time()
    run = server.launch("outreach_refresh", {"dagster/priority": "10"})
    status = server.wait_for_run(run, seconds=600)
    if status != "SUCCESS":
        raise RuntimeError(f"run {run}: {status}: {server.failure(run)}")
    times = dict(world.rows(EVENTS, {"run": run, "types": list(SEGMENTS)}))
    seconds, before = {}, asked
    for event, segment in SEGMENTS.items():
        seconds[segment] = times[event] - before
        before = times[event]
    ((marks,),) = world.rows(MARKS, {"run": run})
    return seconds, marks


def main() -> None:
    options = _options()
    with new_world(options) as world:
        world.load()
        world.deploy()
        world.refresh()
        log_path = Path(world.settings.home) / "dagster-dev.log"
        with dagster_server(world.settings, world.url, log_path) as server:
            measure(world, server)
            idle = [measure(world, server) for _ in range(options.rounds)]
            busy = []
            for _ in range(options.rounds):
                world.add_events()
                busy.append(measure(world, server))
    _print(options, {"nothing to do": idle, f"{options.delta:,} new events": busy})


def _print(options: Namespace, rounds: dict[str, list[tuple[dict[str, float], int]]]) -> None:
    table = Table(title=f"{options.messages:,} messages, median of {options.rounds} runs, seconds")
    table.add_column("from the click to green")
    for name in rounds:
        table.add_column(name, justify="right")
    for segment in SEGMENTS.values():
        table.add_row(
            segment,
            *(
                f"{statistics.median(each[segment] for each, _ in of):.2f}"
                for of in rounds.values()
            ),
        )
    totals = [statistics.median(sum(each.values()) for each, _ in of) for of in rounds.values()]
    table.add_row("all", *(f"{total:.2f}" for total in totals), style="bold")
    marks = [statistics.median(count for _, count in of) for of in rounds.values()]
    table.add_row("partitions marked", *(f"{count:,.0f}" for count in marks))
    Console(width=110).print(table)


def _options() -> Namespace:
    return world_options("benchmarks.whole_run", __doc__, tenants=20, days=90).parse_args()


if __name__ == "__main__":
    main()
