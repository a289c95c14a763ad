"""A reader that polls the marts through a fault, and what is left on the server afterwards."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from tests.outreach.marts import KEYS

State = tuple[int, str]
"""Rows of a table, and a hash of them."""

POLL_SECONDS = 0.02
OURS = ("rollups refresh", "rollups dbt", "dbt")

_STATE = sql.SQL(
    "select count(*), coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {} as t"
)
_SESSIONS = """
select coalesce(application_name, '') || ': ' || query
from pg_stat_activity
where datname = current_database() and application_name = any(%s)
"""
_LOCKS = """
select count(*)
from pg_locks
where
    locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())
"""


class Reader:
    """Reads every mart, again and again, each in one statement as a person would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: dict[str, set[State]] = {name: set() for name in KEYS}
        self.reads = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._unexpected: list[psycopg.Error] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def mixed(self, *whole: dict[str, State]) -> list[str]:
        """States that are none of the whole ones, a line each, and how the reader failed."""
        return [str(error) for error in self._unexpected] + [
            f"{name}: {state}"
            for name, states in self.seen.items()
            for state in states
            if state not in [each[name] for each in whole]
        ]

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    while not self._stop.wait(POLL_SECONDS):
                        for name, state in mart_states(connection).items():
                            self.seen[name].add(state)
                        self.reads += 1
            except psycopg.OperationalError:
                # A server that is away shows nothing wrong.
                self._stop.wait(POLL_SECONDS)
            except psycopg.Error as error:
                self._unexpected.append(error)
                return


def mart_states(connection: psycopg.Connection[Any]) -> dict[str, State]:
    """What each mart holds now."""
    states = {}
    for name in KEYS:
        row = connection.execute(_STATE.format(sql.Identifier("analytics", name))).fetchone()
        assert row is not None
        states[name] = (row[0], row[1])
    return states


def sessions_of_ours(connection: psycopg.Connection[Any]) -> list[str]:
    """Sessions of a refresh that are still there."""
    return [row[0] for row in connection.execute(_SESSIONS, [list(OURS)])]


def advisory_locks(connection: psycopg.Connection[Any]) -> int:
    """Advisory locks held or waited for in this database."""
    row = connection.execute(_LOCKS).fetchone()
    assert row is not None
    return row[0]
