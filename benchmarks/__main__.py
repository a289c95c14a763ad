"""Measure rollups against the least that must be done and against what people do instead.

    python -m benchmarks [--messages N] [--tenants N] [--days N] [--delta N] [--only PART ...]

Runs on an embedded PostgreSQL of its own in a temporary folder, with the settings of ``make demo``.
Machines differ: read the ratios. ``--limits FILE`` fails when a ratio is more than
half as high again as the one kept in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import backfill, first_load, hourly, reads, storage
from benchmarks.world import (
    Cost,
    World,
    new_world,
    peak_megabytes,
    server_version,
    world_options,
)

PARTS = ("load", "hourly", "backfill", "reads", "storage")
# A ratio may be this many times the one that was kept: machines are noisy.
TOLERANCE = 1.5


def main() -> None:
    options = _options()
    console = Console(width=110)
    with new_world(options, keep=options.keep) as world:
        console.print(
            f"[bold]{options.messages:,} messages, {options.tenants} tenants, {options.days} days;"
            f" PostgreSQL {server_version(world.connection)}, Python {platform.python_version()},"
            f" {os.cpu_count()} cores, {platform.machine()}"
        )
        ratios = _measure(world, options, console)
    console.print(f"Peak memory of this process, dbt in it: {peak_megabytes():,.0f} MB")
    if options.limits:
        sys.exit(_compare(console, ratios, json.loads(options.limits.read_text())))


def _measure(world: World, options: argparse.Namespace, console: Console) -> dict[str, float]:
    ratios: dict[str, float] = {}
    is_first = not world.is_loaded
    if is_first:
        console.print(f"source: {world.load()}")
    world.deploy()
    loaded = first_load.measure(world)
    if is_first and "load" in options.only:
        _print_costs(console, "First load", loaded.costs, "by hand")
        _print_models(console, loaded.models)
        ratios["first load / by hand"] = loaded.ratio
    if "hourly" in options.only:
        measured = hourly.measure(world)
        title = f"{options.delta:,} new events, {measured.rows_changed:,} rollup rows changed"
        _print_costs(console, title, measured.costs, "physical limit")
        _print_models(console, measured.models)
        ratios["refresh / physical limit"] = measured.ratio("refresh")
    if "backfill" in options.only:
        _print_costs(console, "Backfill", backfill.measure(world), backfill.SMALLEST)
    if "reads" in options.only:
        console.print(reads.table(world))
    if "storage" in options.only:
        console.print(storage.table(world))
    return ratios


def _print_costs(console: Console, title: str, costs: Mapping[str, Cost], unit: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("what", "wall s", "SQL s", f"SQL / {unit}", "pages, thousands"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, cost in costs.items():
        ratio = cost.active / costs[unit].active
        table.add_row(
            what,
            f"{cost.wall:.2f}",
            f"{cost.active:.2f}",
            f"{ratio:.1f}",
            f"{cost.pages / 1000:,.0f}",
        )
    console.print(table)


def _print_models(console: Console, models: Mapping[str, float]) -> None:
    slowest = sorted(models.items(), key=lambda model: -model[1])
    console.print(
        "  " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in slowest if seconds > 0.1)
    )


def _compare(console: Console, ratios: dict[str, float], kept: dict[str, float]) -> int:
    """Exit code: 1 when a ratio is too high, or one that was kept was not measured."""
    failed = False
    for name, usual in kept.items():
        ratio, limit = ratios.get(name), usual * TOLERANCE
        is_good = ratio is not None and ratio <= limit
        failed = failed or not is_good
        found = "not measured" if ratio is None else f"{ratio:.1f}"
        says = "ok" if is_good else "FAILED"
        console.print(f"{name}: {found}, at most {limit:.1f} ({usual:g} kept): {says}")
    return int(failed)


def _options() -> argparse.Namespace:
    parser = world_options("benchmarks", __doc__, tenants=20, days=90)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument(
        "--no-slow-ways", dest="slow_ways", action="store_false",
        help="leave out what reads the whole source: materialized views, delete+insert, rebuild",
    )  # fmt: skip
    parser.add_argument("--keep", help="folder of a database that stays, and is used again")
    parser.add_argument("--limits", type=Path, help="JSON file of ratios that were kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
