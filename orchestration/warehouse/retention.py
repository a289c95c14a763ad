"""Logs of refreshes and reconciliations that nobody needs any more."""

from __future__ import annotations

import psycopg


def prune_logs(connection: psycopg.Connection, family: str, days: int) -> int:
    """Delete what was logged longer ago, a piece a transaction; gives the number of refreshes.

    ``days`` 0: nothing. The connection commits by itself.
    """
    pruned = 0
    while days:
        row = connection.execute("select ops.prune_log(%s, %s)", [family, days]).fetchone()
        if row is None or not row[0]:
            break
        pruned += row[0]
    return pruned
