"""What the Dagster code needs of the world outside: the database of the ``ROLLUPS_`` settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from orchestration.errors import DatabaseError, RollupsError
from orchestration.settings import Settings, load_settings
from orchestration.warehouse.bootstrap import require_initialised
from orchestration.warehouse.connection import connect, embedded_postgres


class Warehouse(dg.ConfigurableResource):
    """The PostgreSQL database that is refreshed. Starts nothing: the command line does that."""

    @property
    def settings(self) -> Settings:
        return load_settings()

    @property
    def url(self) -> str:
        """``DatabaseError`` when no URL is set and the embedded server does not run."""
        if self.settings.database_url is not None:
            return self.settings.database_url.get_secret_value()
        status = embedded_postgres(self.settings).status()
        if not status.running or status.url is None:
            raise DatabaseError(
                "no database: set ROLLUPS_DATABASE_URL or start the embedded one (rollups db start)"
            )
        return status.url

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """A connection to the database, which has our tables; else ``RollupsError``."""
        with connect(self.url, application="rollups dagster") as connection:
            require_initialised(connection)
            yield connection

    def unfit(self) -> str | None:
        """Why nothing can be refreshed now, in one line; ``None`` when all is well."""
        try:
            with self.connection():
                return None
        except RollupsError as error:
            return str(error)
