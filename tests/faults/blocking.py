"""Stopping a refresh at a place of the test's choice, by a lock that the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from tests.dagster_server import wait_until

MIDDLE = "analytics.metrics_campaign_daily"
"""A model with others before it and after it."""

AT_THE_END = "ops.refresh_partition"
"""The first table that completing a refresh writes, when every model has committed."""

_WAITING = """
select activity.pid
from pg_locks as locks
inner join pg_stat_activity as activity on locks.pid = activity.pid
where locks.relation = %s::regclass and not locks.granted
"""


@contextmanager
def held(url: str, relation: str) -> Iterator[None]:
    """Nobody writes to a table meanwhile; reading is free."""
    with closing(psycopg.connect(url, application_name="holder")) as holder:
        holder.execute(
            sql.SQL("lock table {} in exclusive mode").format(sql.Identifier(*relation.split(".")))
        )
        yield


def wait_for_writer(url: str, relation: str, seconds: float = 200) -> int:
    """Process id of the server's backend that waits to write to a table, once there is one."""
    with psycopg.connect(url, autocommit=True) as connection:

        def look() -> int | None:
            row = connection.execute(_WAITING, [relation]).fetchone()
            return row[0] if row else None

        return wait_until(look, seconds, f"a writer of {relation}")


def client_process(url: str, application: str) -> int:
    """Process id of the client that has a session of this application; both on this machine."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "select client_port from pg_stat_activity"
            " where datname = current_database() and application_name = %s",
            [application],
        ).fetchone()
    assert row is not None, f"no session of {application}"
    inode = _socket_inode(row[0])
    for name in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if name.readlink().name == f"socket:[{inode}]":
                return int(name.parts[2])
    raise AssertionError(f"no process has the socket of port {row[0]}")


def _socket_inode(port: int) -> str:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[9] != "0":
            return fields[9]
    raise AssertionError(f"no socket at port {port}")
