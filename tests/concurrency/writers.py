"""Writers that commit as applications do: late, in pieces, not at all, under clocks of their own.

Every row has a subject of its own, so that a noted subject tells that this very row was seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from threading import Semaphore
from typing import Any, LiteralString

import psycopg

SKEW_SECONDS = 0.4
# Transactions of a writer between two looks at the source, so that slow machines look as often.
TURNS = 3


@dataclass(frozen=True)
class Change:
    """One way to change a source table: a statement over ids, stamped by the writer's clock.

    ``silent``: neither a new row nor a new ingest time tells of it.
    """

    table: str
    statement: LiteralString
    prefix: str = ""
    offset: int = 0
    subject: str = "{}"
    silent: bool = False

    def row_id(self, number: int) -> str:
        return f"{self.prefix}{self.offset + number}"

    def subject_of(self, number: int) -> str:
        return self.subject.format(self.row_id(number))


@dataclass(frozen=True)
class Source:
    """How a family's source is written to; ``prepare`` makes so many rows for each change."""

    family: str
    schema: str
    prepare: Callable[[psycopg.Connection[Any], int], None]
    changes: Sequence[Change]
    ingest_columns: Mapping[str, str]

    def watched_by_ingest_time(self) -> Source:
        """The same without what no ingest time tells of."""
        return replace(self, changes=[change for change in self.changes if not change.silent])


class Writer:
    """One session that makes transactions of random length until its rows are written."""

    def __init__(
        self,
        url: str,
        source: Source,
        rows: int,
        batch: int,
        seed: int,
        numbers: Mapping[Change, Iterator[int]],
        turns: Semaphore,
    ) -> None:
        self._url = url
        self._source = source
        self._rows = rows
        self._batch_size = batch
        self._random = Random(seed)
        self._numbers = numbers
        self._turns = turns
        self._skew = timedelta(seconds=self._random.uniform(-SKEW_SECONDS, SKEW_SECONDS))
        self.committed: list[tuple[Change, int]] = []

    def run(self) -> None:
        options = f"-c search_path={self._source.schema},public -c TimeZone=UTC"
        with psycopg.connect(self._url, options=options, application_name="writer") as session:
            while len(self.committed) < self._rows:
                self._turns.acquire()
                written = self._transaction(session)
                if self._random.random() < 0.05:
                    session.rollback()
                else:
                    session.commit()
                    self.committed += written

    def _transaction(self, session: psycopg.Connection[Any]) -> list[tuple[Change, int]]:
        session.execute("select 1")
        written: list[tuple[Change, int]] = []
        for _ in range(self._random.randrange(1, 4)):
            self._pause()
            batch: list[tuple[Change, int]] = []
            with session.transaction():
                batch += self._batch(session)
                if self._random.random() < 0.1:
                    raise psycopg.Rollback  # to the savepoint
                written += batch
        self._pause()
        return written

    def _pause(self) -> None:
        # Mostly none; sometimes as long as a slow request, rarely longer than any overlap.
        draw = self._random.random()
        if draw < 0.2:
            time.sleep(self._random.uniform(0, 0.1))
        elif draw < 0.22:
            time.sleep(self._random.uniform(1, 3))

    def _batch(self, session: psycopg.Connection[Any]) -> list[tuple[Change, int]]:
        change = self._random.choice(self._source.changes)
        numbers = [
            next(self._numbers[change]) for _ in range(self._random.randrange(1, self._batch_size))
        ]
        session.execute(
            change.statement,
            {
                "ids": [change.row_id(number) for number in numbers],
                "stamp": datetime.now(UTC).replace(tzinfo=None) + self._skew,
            },
        )
        return [(change, number) for number in numbers]


class Writers:
    """Several writers at once, in threads; iterate to do something while they write."""

    def __init__(
        self, url: str, source: Source, rows: int, seed: int, batch: int = 200, threads: int = 8
    ) -> None:
        # next() of a count is atomic
        numbers = {change: count(1) for change in source.changes}
        self._turns = Semaphore(0)
        self._writers = [
            Writer(url, source, rows // threads + 1, batch, seed + n, numbers, self._turns)
            for n in range(threads)
        ]

    def while_they_write(self) -> Iterator[None]:
        """Yields until all have finished; raises what a writer raised."""
        with ThreadPoolExecutor(len(self._writers)) as pool:
            running = [pool.submit(writer.run) for writer in self._writers]
            try:
                while not all(future.done() for future in running):
                    self._turns.release(len(self._writers) * TURNS)
                    yield
            finally:
                self._turns.release(1_000_000)
            for future in running:
                future.result()

    @property
    def committed(self) -> list[tuple[Change, int]]:
        return [written for writer in self._writers for written in writer.committed]


def _prepare_outreach(connection: psycopg.Connection[Any], rows: int) -> None:
    for tenant in ("acme", "bolt"):
        connection.execute("insert into tenants (id, name) values (%s, 'A tenant')", [tenant])
        connection.execute(
            "insert into leads (id, name, url, tenant_id) values (%s, 'A lead', 'x', %s)",
            [tenant, tenant],
        )
        connection.execute(
            "insert into lead_point_of_contacts (id, lead_id, name) values (%s, %s, 'A contact')",
            [tenant, tenant],
        )
        connection.execute(
            "insert into contact_campaigns (id, tenant_id, lead_id, contact_id, channel, plan_json,"
            " plan_hash) values (%s, %s, %s, %s, 'email', '{}', '0')",
            [tenant, tenant, tenant, tenant],
        )
    connection.execute(
        """
        insert into outbound_messages (
            id, tenant_id, campaign_id, contact_id, channel, dedupe_key, state, sent_at, created_at,
            updated_at
        )
        select
            prefix || n, tenant, tenant, tenant, 'email', prefix || n, 'sent', '2026-03-01',
            '2026-03-01', '2026-03-01'
        from unnest(array['open', 'click', 'settled', 'renamed', 'gone']) as prefix
        cross join generate_series(1, %s) as n
        cross join lateral (select case when n %% 3 = 0 then 'bolt' else 'acme' end) as of (tenant)
        """,
        [rows],
    )
    # No table is empty: a first load notes tenants, not rows.
    connection.execute(
        "insert into message_events (id, tenant_id, message_id, type, event_at, created_at)"
        " select 'first', tenant_id, id, 'delivered', '2026-03-01', '2026-03-01'"
        " from outbound_messages limit 1"
    )
    connection.execute(
        "insert into inbound_messages (id, tenant_id, channel, received_at, updated_at)"
        " values ('first', 'acme', 'email', '2026-03-01', '2026-03-01')"
    )
    # The indexes that `rollups doctor` asks for.
    connection.execute("create index on message_events (message_id)")
    connection.execute("create index on message_events (created_at)")
    connection.execute("create index on outbound_messages (updated_at)")
    connection.execute("analyze outbound_messages")


_EVENT: LiteralString = """
    insert into message_events (id, tenant_id, message_id, type, event_at, sg_event_id)
    select
        'event_' || id, tenant_id, id, substring(id from '[a-z]+'), date_trunc('second', now()), id
    from outbound_messages where id = any(%(ids)s)
"""

OUTREACH = Source(
    family="outreach",
    schema="dripiq_app",
    prepare=_prepare_outreach,
    changes=(
        Change(
            "outbound_messages",
            """
            insert into outbound_messages (
                id, tenant_id, campaign_id, contact_id, channel, dedupe_key, state, sent_at,
                created_at, updated_at
            )
            select
                id, 'acme', 'acme', 'acme', 'email', id, 'sent', %(stamp)s::timestamp,
                %(stamp)s::timestamp, %(stamp)s::timestamp
            from unnest(%(ids)s::text[]) as id
            """,
            prefix="sent",
        ),
        Change("message_events", _EVENT, prefix="open"),
        Change("message_events", _EVENT, prefix="click"),
        Change(
            "outbound_messages",
            """
            update outbound_messages
            set state = 'failed', error_at = %(stamp)s::timestamp, updated_at = %(stamp)s::timestamp
            where id = any(%(ids)s)
            """,
            prefix="settled",
        ),
        Change(
            "inbound_messages",
            """
            insert into inbound_messages (id, tenant_id, channel, received_at, updated_at)
            select id, 'bolt', 'email', %(stamp)s::timestamp, %(stamp)s::timestamp
            from unnest(%(ids)s::text[]) as id
            """,
            prefix="reply",
            subject="inbound/{}",
        ),
        Change(
            "outbound_messages",
            "update outbound_messages set channel = 'sms' where id = any(%(ids)s)",
            prefix="renamed",
            silent=True,
        ),
        Change(
            "outbound_messages",
            "delete from outbound_messages where id = any(%(ids)s)",
            prefix="gone",
            silent=True,
        ),
    ),
    ingest_columns={
        "outbound_messages": "updated_at",
        "message_events": "created_at",
        "inbound_messages": "updated_at",
    },
)


def _prepare_support(connection: psycopg.Connection[Any], rows: int) -> None:
    connection.execute(
        "insert into accounts (id, name, settings, created_at, updated_at)"
        " values (1, 'An account', '{\"reporting_timezone\": \"Asia/Kolkata\"}', now(), now())"
    )
    connection.execute(
        "insert into conversations (id, account_id, inbox_id, display_id, status, created_at,"
        " updated_at) select start + n, 1, 1, start + n, 0, '2026-03-01', '2026-03-01'"
        " from generate_series(1000000, 5000000, 1000000) as start, generate_series(1, %s) as n",
        [rows],
    )
    # No table is empty: a first load notes accounts, not rows.
    connection.execute(
        "insert into reporting_events (id, account_id, name, created_at, updated_at)"
        " values (1, 1, 'conversation_resolved', '2026-03-01', '2026-03-01')"
    )
    connection.execute(
        "insert into messages (id, account_id, inbox_id, conversation_id, message_type, created_at,"
        " updated_at) values (1, 1, 1, 1, 1, '2026-03-01', '2026-03-01')"
    )
    connection.execute("analyze conversations")


SUPPORT = Source(
    family="support",
    schema="public",
    prepare=_prepare_support,
    changes=(
        Change(
            "conversations",
            """
            insert into conversations (
                id, account_id, inbox_id, display_id, status, created_at, updated_at
            )
            select id::int, 1, 1, id::int, 0, %(stamp)s::timestamp, %(stamp)s::timestamp
            from unnest(%(ids)s::text[]) as id
            """,
        ),
        Change(
            "reporting_events",
            """
            insert into reporting_events (
                id, account_id, name, value, conversation_id, created_at, updated_at
            )
            select id::int, 1, 'conversation_resolved', 5, id::int, now(), now()
            from unnest(%(ids)s::text[]) as id
            """,
            offset=1_000_000,
        ),
        Change(
            "messages",
            """
            insert into messages (
                id, account_id, inbox_id, conversation_id, message_type, created_at, updated_at
            )
            select id::int, 1, 1, id::int, 1, %(stamp)s::timestamp, %(stamp)s::timestamp
            from unnest(%(ids)s::text[]) as id
            """,
            offset=2_000_000,
        ),
        Change(
            "conversations",
            """
            update conversations set team_id = 7, updated_at = %(stamp)s::timestamp
            where id = any(%(ids)s::text[]::int[])
            """,
            offset=3_000_000,
        ),
        Change(
            "conversations",
            "update conversations set team_id = 7 where id = any(%(ids)s::text[]::int[])",
            offset=4_000_000,
            silent=True,
        ),
        Change(
            "conversations",
            "delete from conversations where id = any(%(ids)s::text[]::int[])",
            offset=5_000_000,
            silent=True,
        ),
    ),
    ingest_columns={
        "conversations": "updated_at",
        "reporting_events": "updated_at",
        "messages": "updated_at",
    },
)
