"""Refreshes, backfills and the like as scripts of steps, so that a test can try their orders.

A step is a statement or a group of them: the functions of ``ops`` in the order in which the
refresh calls them, and in between what dbt really sends for each model, recorded once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from orchestration.errors import InputError
from orchestration.warehouse.backfill import REASON
from orchestration.warehouse.connection import connect
from orchestration.warehouse.erasing import plan_erasure
from tests.concurrency.source import application, write_to
from tests.outreach.warehouse import OutreachWarehouse

FAMILY = "outreach"
# dbt asks for the columns of what it is about to write; the answer is always the same.
_ASKS_FOR_COLUMNS = re.compile(r"(where false\s+limit 0|order by ordinal_position)\s*$")

Script = Iterator[str]
"""Yields the name of the step that comes next, and does it when it is asked for one more."""


@dataclass(frozen=True)
class Model:
    """What dbt sends for a model, in one transaction; ``{database}`` stands for its name."""

    name: str
    statements: tuple[str, ...]

    def in_database(self, name: str) -> list[str]:
        return [statement.replace("{database}", name) for statement in self.statements]


def record_models(warehouse: OutreachWarehouse, monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    """The models of a real refresh in the order in which they were committed."""
    database = warehouse.connection.info.dbname
    statements: dict[str, list[str]] = {}
    models: list[Model] = []

    def listen(event: Any) -> None:
        if event.info.name != "SQLQuery" or not event.data.conn_name.startswith("model."):
            return
        name, statement = event.data.node_info.node_name, event.data.sql
        if statement == "COMMIT":
            models.append(Model(name, tuple(statements.pop(name))))
        elif not _ASKS_FOR_COLUMNS.search(statement):
            text = statement.replace(f'"{database}"', '"{database}"')
            statements.setdefault(name, []).append(text)

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.dbt_runner._node_callback", lambda on_node: listen)
        warehouse.refresh()
    assert len(models) > 5
    assert not statements
    return models


class Participant:
    """A script that runs step by step in a thread and sessions of its own."""

    def __init__(
        self,
        name: str,
        url: str,
        script: Callable[[Participant], Script],
        tenants: Sequence[str],
    ) -> None:
        self.name = name
        self.url = url
        self.tenants = set(tenants)
        self.refresh_id = uuid4()
        self.sessions: list[psycopg.Connection[Any]] = []
        self.driver = self.session()
        self.finished = False
        self.holds_tenants = False
        self.is_dbt_alone = False
        self._thread = ThreadPoolExecutor(1)
        self._script = script(self)
        self._running: Future[str | None] | None = None
        self.next_step: str | None = next(self._script)

    def session(self, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        session = connect(self.url, application=f"test {self.name}", autocommit=autocommit)
        self.sessions.append(session)
        return session

    def step(self) -> None:
        """Begin the next step; it may have to wait for somebody."""
        self._running = self._thread.submit(next, self._script, None)

    @property
    def pids(self) -> list[int]:
        pids = []
        for session in self.sessions:
            # Its own thread may close it at any moment.
            with suppress(psycopg.OperationalError):
                pids.append(session.info.backend_pid)
        return pids

    def is_waiting(self, observer: psycopg.Connection[Any], others: Sequence[Participant]) -> bool:
        """Whether the step that was begun waits for one of the others; else it has ended."""
        while self._running is not None:
            try:
                self.next_step = self._running.result(timeout=0.02)
            except TimeoutError:
                blocked = observer.execute(
                    "select exists (select from unnest(%s::int[]) as pid"
                    " where pg_blocking_pids(pid) && %s::int[])",
                    [self.pids, [pid for other in others for pid in other.pids]],
                ).fetchone()
                if blocked and blocked[0]:
                    return True
                continue
            self._running = None
            if self.next_step is None:
                # Closing would do, but not before the next step of another.
                self.driver.execute("select pg_advisory_unlock_all()")
                self.end()
        return False

    def kill(self, observer: psycopg.Connection[Any]) -> None:
        """End all its sessions from outside, wherever they are."""
        for pid in self.pids:
            observer.execute("select pg_terminate_backend(%s, 5000)", [pid])
        if self._running is not None:
            with pytest.raises(psycopg.OperationalError):
                self._running.result(timeout=10)
            self._running = None
        self.end()

    def end(self) -> None:
        self.finished = True
        self.holds_tenants = False
        self._thread.shutdown()
        for session in self.sessions:
            session.close()


@dataclass(frozen=True)
class Scripts:
    """What the participants do. ``fine``: every statement of a model is a step of its own."""

    models: Sequence[Model]
    fine: bool = False

    def hourly(self, tenants: Sequence[str] | None = None) -> Callable[[Participant], Script]:
        def script(self_: Participant) -> Script:
            run = self_.driver.execute
            yield "capture"
            run("select ops.hold_refresh(%s)", [self_.refresh_id])
            run("select ops.begin_refresh(%s, %s, 'cli')", [self_.refresh_id, FAMILY])
            run("select ops.capture(%s)", [FAMILY])
            wanted = None if tenants is None else list(tenants)
            with_work = [
                row[0]
                for row in run(
                    "select distinct tenant_id from ops.pending where family = %s"
                    " and (%s::text[] is null or tenant_id = any(%s))",
                    [FAMILY, wanted, wanted],
                )
            ]
            yield "take"
            self._lock(self_, with_work)
            claim = "select ops.claim_pending(%s, %s, %s)"
            claimed = run(claim, [self_.refresh_id, FAMILY, with_work]).fetchone()
            if claimed and claimed[0]:
                yield from self._rebuild(self_)
            yield from self._complete(self_)

        return script

    def backfill(
        self, tenants: Sequence[str], days: Sequence[date], *, noted: bool = False
    ) -> Callable[[Participant], Script]:
        """Partitions of the UI; ``noted``: of the command line, which notes them all first."""
        pairs = [(tenant, day) for tenant in tenants for day in days]
        keys = [list(column) for column in zip(*pairs, strict=True)]

        def script(self_: Participant) -> Script:
            run = self_.driver.execute
            if noted:
                yield "note"
                run(
                    "select pg_advisory_lock(hashtextextended(%s, 0))",
                    [f"rollups backfill {FAMILY}"],
                )
                run(
                    "select ops.note_pending(%s, %s, 'date', %s::date[]::text[], %s)",
                    [FAMILY, *keys, REASON],
                )
            yield "take"
            run("select ops.hold_refresh(%s)", [self_.refresh_id])
            run("select ops.begin_refresh(%s, %s, 'backfill')", [self_.refresh_id, FAMILY])
            self._lock(self_, tenants)
            run(
                "select ops.claim_partitions(%s, %s, %s, %s, %s)",
                [self_.refresh_id, FAMILY, *keys, REASON if noted else "backfill"],
            )
            yield from self._rebuild(self_)
            yield from self._complete(self_)

        return script

    def erase(self, tenant: str, contact: str) -> Callable[[Participant], Script]:
        """`rollups erase`, after the application has written to the contact and deleted it."""

        def script(self_: Participant) -> Script:
            run = self_.driver.execute
            with application(self_.url, autocommit=True) as source:
                yield "write"
                write_to(source, tenant, contact)
                yield "delete"
                source.execute("delete from lead_point_of_contacts where id = %s", [contact])
            yield "take"
            self._lock(self_, [tenant])
            try:
                plan_erasure(self_.driver, tenant, contact)
            except InputError:
                # Erased already: by a refresh, as the delete policy says.
                return
            yield "erase"
            run("select ops.outreach_erase_contact(%s, %s, 'test')", [tenant, contact])
            run("select ops.unlock_tenants(%s, %s)", [FAMILY, [tenant]])
            self_.holds_tenants = False
            yield from self.hourly([tenant])(self_)

        return script

    def dbt(self) -> Callable[[Participant], Script]:
        """`dbt build` by itself: no session holds the tenants, only each model while it writes."""

        def script(self_: Participant) -> Script:
            self_.is_dbt_alone = True
            yield "begin"
            self_.driver.execute("select ops.begin_dbt_refresh(%s)", [str(self_.refresh_id)])
            yield from self._rebuild(self_)
            yield from self._complete(self_)

        return script

    @staticmethod
    def _lock(self_: Participant, tenants: Sequence[str]) -> None:
        busy = self_.driver.execute(
            "select tenant_id from ops.try_lock_tenants(%s, %s)", [FAMILY, list(tenants)]
        ).fetchall()
        assert busy == [], f"{self_.name}: the scheduler thought these were free"
        self_.holds_tenants = True

    def _rebuild(self, self_: Participant) -> Script:
        if not self.fine:
            yield "models"
        for model in self.models:
            session = self_.session(autocommit=False)
            session.execute(
                "select ops.join_refresh(%s)"
                if self_.is_dbt_alone
                else "select set_config('rollups.refresh_id', %s, false)",
                [str(self_.refresh_id)],
            )
            session.commit()
            for number, statement in enumerate(model.in_database(session.info.dbname), start=1):
                if self.fine:
                    yield f"{model.name} {number}"
                session.execute(statement.encode())
            if self.fine:
                yield f"{model.name} commit"
            session.commit()
            session.close()

    @staticmethod
    def _complete(self_: Participant) -> Script:
        yield "complete"
        self_.driver.execute("select ops.complete_refresh(%s, %s)", [self_.refresh_id, FAMILY])
