"""What became of bad and odd rows: seen after they came in, and after they were put right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic

from orchestration.warehouse.verify import verify
from tests.quarantine.rows import BadRow, OddRow, W


@dataclass(frozen=True)
class Intake:
    """A line of ``ops.intake``: rows of a tenant, day and table, and what became of them."""

    tenant_id: str
    date: date
    table: str
    rows_in: int
    counted: int
    duplicates: int
    ignored: int
    quarantined: int
    unaccounted: int


@dataclass
class Sight:
    """The database as somebody sees it after a refresh."""

    quarantine: dict[tuple[str, date, str, str], int] = field(default_factory=dict)
    intake: list[Intake] = field(default_factory=list)
    source_rows: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    pending: list[Any] = field(default_factory=list)

    def account(self, tenant: str, table: str) -> Counter[str]:
        """The intake of a tenant and table over all days."""
        total: Counter[str] = Counter()
        for line in self.intake:
            if (line.tenant_id, line.table) == (tenant, table):
                for name in ("rows_in", "counted", "duplicates", "ignored", "quarantined"):
                    total[name] += getattr(line, name)
        return total


def look(warehouse: Any, family: str, schema: str, tables: Iterable[str]) -> Sight:
    """All of it, each from its own place."""
    return Sight(
        quarantine={
            row[:4]: row[4]
            for row in warehouse.rows(
                "select tenant_id, date, source_table, reason, row_count from ops.quarantine"
            )
        },
        intake=[
            Intake(*row)
            for row in warehouse.rows(
                "select tenant_id, date, source_table, rows_in, counted, duplicates, ignored,"
                " quarantined, unaccounted from ops.intake"
            )
        ],
        source_rows={
            table: warehouse.rows(f"select count(*) from {table}")[0][0] for table in tables
        },
        differences=warehouse.differences(),
        verified=[
            str(difference)
            for difference in verify(
                warehouse.connection, family, source_schema=schema, date_from=None, date_to=None
            ).differences
        ],
        pending=warehouse.pending(),
    )


@dataclass
class Story(Generic[W]):
    """Bad and odd rows in one database, one tenant each, before and after they are put right."""

    bad: Sequence[BadRow[W]]
    odd: Sequence[OddRow[W]]
    tenant_of: dict[str, Any]
    before: Sight
    idle: Sight
    idle_work: bool
    after: Sight


def tell(
    warehouse: W,
    bad: Sequence[BadRow[W]],
    odd: Sequence[OddRow[W]],
    add_tenant: Callable[[W, int, str], Any],
    see: Callable[[], Sight],
) -> Story[W]:
    """Put the rows in, refresh, look, refresh again, put them right, refresh, look."""
    refresh: Callable[[], Any] = warehouse.refresh  # pyright: ignore[reportAttributeAccessIssue]
    tenant_of: dict[str, Any] = {}
    # Good rows first: the bad ones are found by change capture, not by the first load.
    for number, row in enumerate((*bad, *odd), start=1):
        assert row.name not in tenant_of, row.name
        tenant_of[row.name] = add_tenant(warehouse, number, row.name)
    refresh()
    for row in (*bad, *odd):
        row.put(warehouse, tenant_of[row.name])
    refresh()
    before = see()
    idle_work = refresh().had_work
    idle = see()
    for row in bad:
        row.fix(warehouse, tenant_of[row.name])
    refresh()
    return Story(bad, odd, tenant_of, before, idle, idle_work, see())
