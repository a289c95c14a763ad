"""Partitions whose source was pruned: rebuilding them would take counted rows away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import psycopg

from orchestration.errors import InputError
from orchestration.warehouse.tenants import Partition

SHOWN = 3


class PrunedPartition(NamedTuple):
    """A partition before the first date its source has; ``rows`` were counted and are gone."""

    tenant_id: str
    date: date
    rows: int


def pruned_partitions(
    connection: psycopg.Connection, family: str, partitions: Sequence[Partition], policy: str
) -> list[PrunedPartition]:
    """Those of the partitions that would shrink, in order, under a delete policy."""
    rows = connection.execute(
        "select tenant_id, date, row_count from ops.pruned(%s, %s, %s, %s) order by 1, 2",
        [
            family,
            [partition.tenant_id for partition in partitions],
            [partition.date for partition in partitions],
            policy,
        ],
    )
    return [PrunedPartition(*row) for row in rows]


def say_pruned(pruned: Sequence[PrunedPartition]) -> str:
    """How many partitions would shrink, the first of them, and by how much."""
    first = ", ".join(f"{one.tenant_id} {one.date}" for one in pruned[:SHOWN])
    more = ", ..." if len(pruned) > SHOWN else ""
    rows = sum(one.rows for one in pruned)
    return (
        f"the source was pruned of {len(pruned):,} of these partitions ({first}{more}):"
        f" rebuilding them takes {rows:,} counted rows out of the rollups"
    )


def refuse_pruned(pruned: Sequence[PrunedPartition], way_out: str) -> None:
    """Raise ``InputError`` if there are any, with the two ways out."""
    if pruned:
        raise InputError(
            f"{say_pruned(pruned)}; {way_out} does it all the same,"
            " ROLLUPS_DELETE_POLICY=freeze keeps them"
        )
