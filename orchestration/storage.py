"""Dagster's own tables in PostgreSQL, over connections that are kept."""

from __future__ import annotations

import select
from typing import Any

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from psycopg2.extensions import connection as Psycopg2Connection  # noqa: N812
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

STATEMENT_TIMEOUT_MS = 300_000
RECYCLE_SECONDS = 3_600
MAX_OVERFLOW = 20


class PooledPostgresStorage(DagsterPostgresStorage):
    """dagster-postgres' storage; it opens a connection for every statement, this one keeps one.

    Marking a partition as materialized takes several statements, so most of its time was spent
    on connecting. Named in ``dagster.yaml`` under ``storage: custom``.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig
    ) -> PooledPostgresStorage:
        storage = cls(
            inst_data=inst_data,
            postgres_url=pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
        )
        # The webserver asks for the same with its own limits; here every process gets it.
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            part.optimize_for_webserver(
                statement_timeout=STATEMENT_TIMEOUT_MS,
                pool_recycle=RECYCLE_SECONDS,
                max_overflow=MAX_OVERFLOW,
            )
        return storage


@event.listens_for(Pool, "checkout")
def refuse_ended(connection: Any, *_: object) -> None:
    """Have the pool open another connection when the server has ended a kept one.

    An idle server says nothing but its farewell, so this needs no question and no answer. Without
    it every process of Dagster's would fail once or more after PostgreSQL was restarted.
    """
    if isinstance(connection, Psycopg2Connection):
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        if poll.poll(0):
            raise DisconnectionError("the server has ended this connection")
