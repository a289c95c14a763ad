"""Warehouses with a first refresh behind them and new work to do, on two servers.

Most faults harm one database only and use the session's server; what harms a whole server has
one of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestration.embedded.demo_data import create_source_tables
from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import initialise
from tests.conftest import make_conninfo_url
from tests.faults.trial import Trial, add_work, fill
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

_numbers = count()


@pytest.fixture(scope="session")
def working_template(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> str:
    """Name of a database that was refreshed once and has work to do; do not write to it."""
    url = new_database(outreach_template)
    _prepare(outreach_settings, url)
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def trial(
    new_database: Callable[..., str], working_template: str, outreach_settings: Settings
) -> Iterator[Trial]:
    """A fault's trial in a database of its own."""
    url = new_database(working_template)
    with OutreachWarehouse(outreach_settings, url) as warehouse, Trial(warehouse) as running:
        yield running


@pytest.fixture(scope="session")
def own_server(open_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server that tests may kill, starve and restart."""
    server = EmbeddedPostgres(open_folder / "faults")
    server.start()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("alter system set max_connections = 24")
    server.stop()
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def own_template(own_server: EmbeddedPostgres, outreach_settings: Settings) -> str:
    """As ``working_template``, on the server of our own."""
    url = _create(own_server.url, "template1")
    with psycopg.connect(url, autocommit=True) as connection:
        create_source_tables(connection, SCHEMA)
    initialise(outreach_settings, url)
    _prepare(outreach_settings, url)
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def own_database(own_server: EmbeddedPostgres, own_template: str) -> str:
    """URL of a database with work to do, on the server of our own."""
    return _create(own_server.start(), own_template)


def _prepare(settings: Settings, url: str) -> None:
    with OutreachWarehouse(settings, url) as warehouse:
        fill(warehouse)
        warehouse.refresh()
        add_work(warehouse)


def _create(server_url: str, template: str) -> str:
    name = f"faults_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return make_conninfo_url(server_url, name)
