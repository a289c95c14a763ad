"""The refresh: one path for the hourly run, a backfill, the command line and a change of zone.

begin -> capture -> lock -> claim -> dbt -> (before_complete) -> complete. Work is struck from
``ops.pending`` only at the very end; a crash anywhere leaves it pending.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import psycopg

from orchestration.dbt_runner import NodeListener, NodeResult, dbt_project
from orchestration.errors import DatabaseError, RefreshError
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import require_initialised, write_config
from orchestration.warehouse.connection import connect, one_line, refresh_environment
from orchestration.warehouse.failures import error_alone, with_advice
from orchestration.warehouse.tenants import Partition

LOCK_POLL_SECONDS = 1.0
PENDING = "(the work stays pending)"


@dataclass(frozen=True)
class RefreshOutcome:
    """What a refresh did. ``partitions`` are those it rebuilt, ``nodes`` dbt's results."""

    refresh_id: UUID
    family: str
    trigger: str
    partitions: list[Partition] = field(default_factory=list)
    nodes: list[NodeResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def had_work(self) -> bool:
        return bool(self.nodes)


BeforeComplete = Callable[[psycopg.Connection, RefreshOutcome], None]
"""Called when every model has succeeded and before pending work is struck; may raise to stop it."""


@dataclass(frozen=True)
class RefreshRequest:
    """Which work a refresh takes: what is pending (of some tenants), or chosen partitions."""

    family: str
    trigger: str
    tenant_ids: tuple[str, ...] | None = None
    partitions: tuple[Partition, ...] | None = None


def refresh(
    settings: Settings,
    url: str,
    request: RefreshRequest,
    *,
    on_node: NodeListener | None = None,
    on_wait: Callable[[list[str]], None] | None = None,
    before_complete: BeforeComplete | None = None,
) -> RefreshOutcome:
    """Refresh what the request takes and return what was done.

    Raises ``RefreshError`` (a model failed: the work stays pending), ``DatabaseError`` or
    ``InputError``. Waits while another refresh holds one of the tenants, telling ``on_wait`` which.
    """
    started = time.monotonic()
    outcome = RefreshOutcome(uuid4(), request.family, request.trigger)
    with (
        _database_errors(outcome),
        connect(url, application="rollups refresh", limits=settings) as connection,
    ):
        require_initialised(connection)
        write_config(connection, settings)
        connection.execute(
            "select ops.notice_lost_client(), ops.hold_refresh(%s)", [outcome.refresh_id]
        )
        connection.execute(
            "select ops.begin_refresh(%s, %s, %s)",
            [outcome.refresh_id, request.family, request.trigger],
        )
        try:
            if not _claim(connection, request, outcome.refresh_id, on_wait):
                _complete(connection, outcome)
                return outcome
            outcome.nodes.extend(_run_models(settings, url, outcome, on_node))
            outcome.partitions.extend(_rebuilt_partitions(connection, outcome))
            if before_complete is not None:
                before_complete(connection, outcome)
            _complete(connection, outcome)
        except BaseException as error:
            _fail(connection, outcome, error)
            if connection.closed and isinstance(error, RefreshError):
                # Whatever became of the models then: their refresh had lost its locks.
                raise DatabaseError(
                    f"{_name(outcome)}: the session that drives this refresh was lost,"
                    f" run it again {PENDING}"
                ) from error
            raise
    object.__setattr__(outcome, "seconds", time.monotonic() - started)
    return outcome


@contextmanager
def _database_errors(outcome: RefreshOutcome) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        told = with_advice(one_line(error))
        raise DatabaseError(f"{_name(outcome)}: {told} {PENDING}") from error


def _name(outcome: RefreshOutcome) -> str:
    return f"{outcome.family} refresh {outcome.refresh_id}"


def partition_rows(
    connection: psycopg.Connection, outcome: RefreshOutcome, relation: str
) -> dict[Partition, int]:
    """Rows that a relation has in each partition a refresh rebuilt; before it completes."""
    rows = connection.execute(
        "select tenant_id, date, row_count from ops.partition_rows(%s, %s, %s::regclass)",
        [outcome.refresh_id, outcome.family, relation],
    )
    return {Partition(tenant_id, day): count for tenant_id, day, count in rows}


def changed_rows(connection: psycopg.Connection, outcome: RefreshOutcome) -> dict[str, int]:
    """Rows that each model of a refresh inserted, updated or deleted."""
    rows = connection.execute(
        "select model, rows_inserted + rows_updated + rows_deleted"
        " from ops.refresh_model where refresh_id = %s",
        [outcome.refresh_id],
    )
    return dict(rows.fetchall())


def staleness_minutes(connection: psycopg.Connection, family: str) -> float:
    """Minutes since the source was last looked at, through when a refresh makes complete."""
    row = connection.execute(
        "select extract(epoch from clock_timestamp() - min(captured_at))"
        " from ops.watermark where family = %s",
        [family],
    ).fetchone()
    return max(float(row[0]) / 60, 0.0) if row and row[0] is not None else 0.0


def _claim(
    connection: psycopg.Connection,
    request: RefreshRequest,
    refresh_id: UUID,
    on_wait: Callable[[list[str]], None] | None,
) -> int:
    """Capture changes, lock the tenants, claim the work; gives the number of tenants in scope."""
    if request.partitions is not None:
        tenant_ids = sorted({partition.tenant_id for partition in request.partitions})
    else:
        connection.execute("select ops.capture(%s)", [request.family])
        tenant_ids = _tenants_with_work(connection, request)
    lock_tenants(connection, request.family, tenant_ids, on_wait)
    if request.partitions is not None:
        claim = connection.execute(
            "select ops.claim_partitions(%s, %s, %s, %s, %s)",
            [
                refresh_id,
                request.family,
                [partition.tenant_id for partition in request.partitions],
                [partition.date for partition in request.partitions],
                request.trigger,
            ],
        )
    else:
        claim = connection.execute(
            "select ops.claim_pending(%s, %s, %s)", [refresh_id, request.family, tenant_ids]
        )
    row = claim.fetchone()
    return row[0] if row else 0


def _tenants_with_work(connection: psycopg.Connection, request: RefreshRequest) -> list[str]:
    wanted = None if request.tenant_ids is None else list(request.tenant_ids)
    rows = connection.execute(
        "select distinct tenant_id from ops.pending"
        " where family = %s and (%s::text[] is null or tenant_id = any(%s)) order by 1",
        [request.family, wanted, wanted],
    )
    return [row[0] for row in rows]


def lock_tenants(
    connection: psycopg.Connection,
    family: str,
    tenant_ids: Sequence[str],
    on_wait: Callable[[list[str]], None] | None,
) -> None:
    """Lock tenants for the life of the connection, as a refresh does, waiting for others."""
    # All or nothing: what was obtained is given back before waiting, so two can never block
    # each other.
    told = False
    while True:
        busy = [
            row[0]
            for row in connection.execute(
                "select tenant_id from ops.try_lock_tenants(%s, %s)", [family, list(tenant_ids)]
            )
        ]
        if not busy:
            return
        connection.execute(
            "select ops.unlock_tenants(%s, %s)",
            [family, [tenant_id for tenant_id in tenant_ids if tenant_id not in busy]],
        )
        if on_wait is not None and not told:
            on_wait(busy)
            told = True
        time.sleep(LOCK_POLL_SECONDS)


def _run_models(
    settings: Settings, url: str, outcome: RefreshOutcome, on_node: NodeListener | None
) -> list[NodeResult]:
    # dbt's unit tests try the models' logic on rows of their own: that is for `make test`.
    selection = ["build", "--exclude-resource-type", "unit_test"]
    selection += ["--select", f"tag:{outcome.family},config.materialized:incremental"]
    with refresh_environment(settings, url, outcome.refresh_id):
        try:
            results = dbt_project(settings).run(selection, on_node=on_node)
        except RefreshError as error:
            raise RefreshError(f"{_name(outcome)}: {with_advice(str(error))} {PENDING}") from None
    failed = [result for result in results if not result.succeeded]
    models = [result for result in failed if result.resource_type == "model"]
    if failed:
        first = next((result for result in models if result.status == "error"), failed[0])
        told = f"{first.name}: {with_advice(error_alone(first.message))}"
        raise RefreshError(f"{_name(outcome)}: {told} {PENDING}", results)
    return results


def _rebuilt_partitions(connection: psycopg.Connection, outcome: RefreshOutcome) -> list[Partition]:
    rows = connection.execute(
        "select tenant_id, date from ops.refreshed_partitions(%s, %s)",
        [outcome.refresh_id, outcome.family],
    )
    return [Partition(*row) for row in rows]


def _complete(connection: psycopg.Connection, outcome: RefreshOutcome) -> None:
    connection.execute("select ops.complete_refresh(%s, %s)", [outcome.refresh_id, outcome.family])


def _fail(connection: psycopg.Connection, outcome: RefreshOutcome, error: BaseException) -> None:
    if connection.closed:
        return
    try:
        connection.execute(
            "select ops.fail_refresh(%s, %s, %s)",
            [outcome.refresh_id, outcome.family, one_line(error)[:2000]],
        )
    except psycopg.Error:
        # The log says `lost` then; the pending work is untouched either way.
        return
