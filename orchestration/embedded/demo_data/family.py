"""What a family gives to the loader: its tables, and a generator of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg

from orchestration.embedded.demo_data.plan import DemoDataPlan


@dataclass(frozen=True)
class Chunk:
    """COPY text per table, the number of rows that stay, and how many units are done with it."""

    text: dict[str, bytes]
    rows: dict[str, int]
    done: int


class RowGenerator(Protocol):
    """Makes all rows of a plan. ``total`` is the number of units."""

    total: int

    @property
    def timezones(self) -> dict[str, str | None]:
        """Tenant id -> its zone as it was given, None = none."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """All rows."""
        ...

    def settle(self, connection: psycopg.Connection) -> None:
        """What remains to be done when all rows, keys and indexes are there."""
        ...


@dataclass(frozen=True)
class Family:
    """The source tables of a family.

    ``columns``: table -> columns to write, in the order of loading; the first table holds the
    tenants. ``types``: types that the tables need. ``unit``: what progress counts.
    """

    tables_sql: Path
    columns: dict[str, str]
    types: tuple[str, ...]
    unit: str
    generator: Callable[[DemoDataPlan], RowGenerator]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(self.columns)
