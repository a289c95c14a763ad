"""What a mark shows of the days around it: a small table, and a line of blocks.

Numbers by tenant and day only. Ids of contacts would stay in Dagster's storage for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import dagster as dg

from orchestration.warehouse.recent import DayNumbers
from orchestration.warehouse.tenants import Partition

SPARKLINE_DAYS = 14
TABLE_DAYS = 7
_BLOCKS = "▁▂▃▄▅▆▇█"


def newest_of_tenants(partitions: Sequence[Partition]) -> dict[str, date]:
    """The last date of each tenant among the partitions."""
    newest: dict[str, date] = {}
    for tenant_id, day in partitions:
        newest[tenant_id] = max(day, newest.get(tenant_id, day))
    return newest


def preview(
    partition: Partition, days: Mapping[date, DayNumbers], rows: Mapping[Partition, int]
) -> dict[str, dg.MetadataValue]:
    """Metadata of the newest partition of a tenant; ``rows`` are the asset's, where rebuilt."""
    if not days:
        return {}
    return {
        "last_days": dg.MetadataValue.text(_sparkline(partition.date, days)),
        "preview": dg.MetadataValue.md(_table(partition, days, rows)),
    }


def _sparkline(until: date, days: Mapping[date, DayNumbers]) -> str:
    (name,) = {next(iter(numbers)) for numbers in days.values()}
    dates = [until - timedelta(days=back) for back in reversed(range(SPARKLINE_DAYS))]
    values = [days[day][name] if day in days else 0 for day in dates]
    top = max(values) or 1
    blocks = "".join(_BLOCKS[round(value / top * (len(_BLOCKS) - 1))] for value in values)
    return f"{blocks} {name} by day, {dates[0]} to {until}, at most {top:,}"


def _table(
    partition: Partition, days: Mapping[date, DayNumbers], rows: Mapping[Partition, int]
) -> str:
    names = list(next(iter(days.values())))
    lines = [["date", "rows here", *names], ["---", *["--:" for _ in range(len(names) + 1)]]]
    for day in sorted(days, reverse=True)[:TABLE_DAYS]:
        here = rows.get(Partition(partition.tenant_id, day))
        shown = "" if here is None else f"{here:,}"
        lines.append([day.isoformat(), shown, *(f"{days[day][name]:,}" for name in names)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
