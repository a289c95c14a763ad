"""The real command in a process of its own, and a warehouse for it to work on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestration.embedded.demo_data import create_source_tables
from orchestration.settings import PROJECT_ROOT, Settings
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

DAYS = 6
TENANTS = ("acme", "birch", "cedar")


@dataclass(frozen=True)
class Rollups:
    """``rollups`` with its settings; every call is a process."""

    home: Path
    url: str

    def environment(self, **settings: str) -> dict[str, str]:
        """The process environment without any other ``ROLLUPS_`` or libpq setting."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ROLLUPS_", "PG", "DBT_"))
        }
        ours = {
            "ROLLUPS_HOME": str(self.home),
            "ROLLUPS_DATABASE_URL": self.url,
            "ROLLUPS_FAMILIES": "outreach",
        }
        return inherited | ours | {f"ROLLUPS_{name}": value for name, value in settings.items()}

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "orchestration.cli", *arguments]

    def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run to the end, without a terminal; ``settings`` without their ROLLUPS_ prefix."""
        return subprocess.run(
            self.command(*arguments),
            cwd=PROJECT_ROOT,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def json(self, *arguments: str, code: int = 0, **settings: str) -> Any:
        """The one JSON document that a command prints; its exit code must be ``code``."""
        ended = self(*arguments, "--json", **settings)
        assert ended.returncode == code, ended.stderr
        return json.loads(ended.stdout)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start, and leave it running."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=PROJECT_ROOT,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="session")
def refreshed_template(
    new_database: Callable[..., str], outreach_template: str, test_home: Path
) -> str:
    """Name of a database with three small tenants, refreshed; do not write to it."""
    url = new_database(outreach_template)
    with OutreachWarehouse(Settings(families=("outreach",), home=test_home), url) as warehouse:
        fill(warehouse)
    ended = Rollups(test_home, url)("refresh")
    assert ended.returncode == 0, ended.stderr
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def rollups(new_database: Callable[..., str], refreshed_template: str, test_home: Path) -> Rollups:
    """The command on a refreshed warehouse of its own."""
    return Rollups(test_home, new_database(refreshed_template))


@pytest.fixture(scope="session")
def shared_rollups(
    new_database: Callable[..., str], refreshed_template: str, test_home: Path
) -> Rollups:
    """The command on a refreshed warehouse that no test may change."""
    return Rollups(test_home, new_database(refreshed_template))


@pytest.fixture
def undeployed(database_url: str, test_home: Path) -> Rollups:
    """The command on a database with empty source tables and nothing else."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        create_source_tables(connection, SCHEMA)
    return Rollups(test_home, database_url)


def fill(warehouse: OutreachWarehouse) -> None:
    """A message an hour for each tenant over the last days, each delivered, some opened."""
    end = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    for tenant in TENANTS:
        warehouse.add_tenant(tenant)
        warehouse.add_contact(tenant, f"contact_{tenant}", f"{tenant}@example.com")
        for hour in range(1, 24 * (DAYS - 1), 3):
            at, message = end - timedelta(hours=hour), f"{tenant}_{hour}"
            warehouse.add_message(tenant, f"contact_{tenant}", message, at)
            sent = at + timedelta(minutes=1)
            warehouse.add_event(tenant, message, f"{message}_d", "delivered", sent)
            if hour % 2:
                opened = at + timedelta(hours=2)
                warehouse.add_event(tenant, message, f"{message}_o", "open", opened)


def fingerprint(url: str) -> dict[str, str]:
    """A hash of the rows of every table in the database, ours and the source's."""
    found: dict[str, str] = {}
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            row = connection.execute(
                sql.SQL(
                    "select md5(string_agg(t::text, '|' order by t::text)) from {} as t"
                ).format(sql.Identifier(schema, table))
            ).fetchone()
            found[f"{schema}.{table}"] = row[0] if row and row[0] else "empty"
    return found


def query(url: str, text: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(text.encode(), values or None)
        return cursor.fetchall() if cursor.description else []
