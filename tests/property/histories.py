"""What random histories of both families have in common: how changes are found, kills, rebuilds."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable
from typing import Literal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from orchestration.warehouse.reconciliation import reconcile
from orchestration.warehouse.source_triggers import install_triggers
from tests.outreach.warehouse import OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

Warehouse = OutreachWarehouse | SupportWarehouse
Mode = Literal["watermark", "triggers"]

_KILL_SECONDS = 120


def set_capture(warehouse: Warehouse, mode: Mode, family: str) -> None:
    warehouse.settings = warehouse.settings.model_copy(update={"change_capture": mode})
    if mode == "triggers":
        install_triggers(warehouse.connection, family)


def kill_a_refresh(warehouse: Warehouse, after_nodes: int) -> None:
    """A refresh in a process of its own that is killed (-9) when so many nodes have ended."""

    def count(_name: str, done: int, _total: int) -> None:
        if done >= after_nodes:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            if after_nodes == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            warehouse.refresh(on_node=count)
        finally:
            os._exit(0)
    deadline = time.monotonic() + _KILL_SECONDS
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise TimeoutError(f"a refresh did not end within {_KILL_SECONDS} s")
        time.sleep(0.05)


def settle(warehouse: Warehouse, mode: Mode, family: str) -> None:
    """The last refresh. What no ingest time tells of, reconciliation finds, and nothing more."""
    warehouse.refresh()
    if mode == "watermark":
        reconcile(warehouse.settings, warehouse.url, family, allow_shrink=True)
    # A backfill and the first refresh after it may each note what lies beyond its dates.
    for _ in range(3):
        warehouse.refresh()
        if not warehouse.pending():
            break
    pending, differences = warehouse.pending(), warehouse.differences()
    assert not pending, f"still pending: {pending}"
    assert not differences, "\n".join(differences)
    drift = reconcile(warehouse.settings, warehouse.url, family).drift
    assert not drift, f"found by reconciliation: {drift}"


def forget_everything(warehouse: Warehouse, family: str) -> None:
    """Empties all of ours but the settings: the next refresh rebuilds it from the source."""
    state = [
        sql.Identifier("ops", name)
        for name in ("watermark", "seen", "pending", f"{family}_touched")
    ]
    for table in [*_tables(warehouse), *state]:
        warehouse.connection.execute(sql.SQL("truncate {}").format(table))


def tables(warehouse: Warehouse) -> dict[str, list[str]]:
    """The rows of all our tables, to compare two builds of them."""
    return _rows_of(warehouse, sql.SQL("built::text"))


def row_versions(warehouse: Warehouse) -> dict[str, list[str]]:
    """What tells a row from the same row written again, of all our tables."""
    return _rows_of(warehouse, sql.SQL("(ctid, xmin, xmax)::text"))


def _rows_of(warehouse: Warehouse, columns: sql.SQL) -> dict[str, list[str]]:
    return {
        table.as_string(warehouse.connection): [
            row[0]
            for row in warehouse.connection.execute(
                sql.SQL("select {} from {} as built order by 1").format(columns, table)
            ).fetchall()
        ]
        for table in _tables(warehouse)
    }


def _tables(warehouse: Warehouse) -> list[sql.Identifier]:
    names = warehouse.rows(
        "select relnamespace::regnamespace::text, relname from pg_class where relkind in ('r', 'p')"
        " and relnamespace::regnamespace::text in ('analytics', 'intermediate')"
    )
    return [sql.Identifier(*name) for name in names]


def run_histories(history: Callable[[int], None], soak: float, examples: int = 3) -> None:
    """Some histories by their seeds, or as many as end within the minutes given for rare ones."""

    @settings(
        max_examples=examples,
        deadline=None,
        print_blob=True,
        # A smaller seed is no simpler history.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(seed=st.integers(0, 2**32 - 1))
    def some_histories(seed: int) -> None:
        history(seed)

    if not soak:
        some_histories()
        return
    deadline = time.monotonic() + soak * 60
    while time.monotonic() < deadline:
        seed = secrets.randbits(32)
        print("history of seed", seed, flush=True)
        history(seed)
