"""What harms a whole server: its end, its last connection, its full disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import sql

from orchestration.embedded.postgres import EmbeddedPostgres
from orchestration.errors import RollupsError
from orchestration.settings import Settings
from orchestration.warehouse.refresh import RefreshRequest, refresh
from tests.faults.blocking import MIDDLE, held, wait_for_writer
from tests.faults.trial import RefreshInThread, Trial, open_warehouse
from tests.outreach.warehouse import OutreachWarehouse

DISK_BYTES = 4 * 1024 * 1024


def test_server_is_killed(
    own_server: EmbeddedPostgres, own_database: str, outreach_settings: Settings
) -> None:
    with (
        OutreachWarehouse(outreach_settings, own_database) as before,
        Trial(before) as trial,
    ):
        with held(own_database, MIDDLE):
            running = RefreshInThread(outreach_settings, own_database)
            wait_for_writer(own_database, MIDDLE)
            own_server.stop("immediate")
        assert "(the work stays pending)" in running.fails()
        own_server.start()
        with open_warehouse(outreach_settings, own_database) as trial.warehouse:
            trial.require_pending("lost")
            trial.require_healed()


def test_no_connection_is_left(own_database: str, outreach_settings: Settings) -> None:
    with (
        OutreachWarehouse(outreach_settings, own_database) as warehouse,
        Trial(warehouse) as trial,
        ExitStack() as others,
    ):
        with held(own_database, "ops.pending"):
            # It has its own connection, and none is left when dbt wants some.
            running = RefreshInThread(outreach_settings, own_database)
            wait_for_writer(own_database, "ops.pending")
            with suppress(psycopg.OperationalError):
                while True:
                    others.enter_context(psycopg.connect(own_database))
        said = running.fails()
        assert "too many clients already: free a connection" in said
        with pytest.raises(RollupsError, match="too many clients already"):
            refresh(outreach_settings, own_database, RefreshRequest("outreach", "test"))
        others.close()
        trial.require_pending("failed")
        trial.require_healed()


@pytest.fixture
def small_disk(own_server: EmbeddedPostgres) -> Iterator[Path]:
    """A file system of a few megabytes, where the server may write."""
    if os.geteuid() != 0:
        pytest.skip("making a small file system needs root")
    owner = own_server.data_dir.stat()
    with TemporaryDirectory(prefix="rollups-small-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        disk = Path(folder) / "disk"
        disk.mkdir()
        options = f"size={DISK_BYTES},uid={owner.st_uid},gid={owner.st_gid},mode=700"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


def test_disk_is_full(
    small_disk: Path, own_server: EmbeddedPostgres, own_database: str, outreach_settings: Settings
) -> None:
    with OutreachWarehouse(outreach_settings, own_database) as warehouse:
        space = f"small_{os.getpid()}"
        warehouse.connection.execute(
            sql.SQL("create tablespace {} location {}").format(
                sql.Identifier(space), sql.Literal(str(small_disk))
            )
        )
        schema, table = MIDDLE.split(".")
        warehouse.connection.execute(
            sql.SQL("alter table {} set tablespace {}").format(
                sql.Identifier(schema, table), sql.Identifier(space)
            )
        )
        filler = small_disk / "filler"
        with Trial(warehouse) as trial:
            _add_many_days(warehouse)
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"0" * 4096)
            with pytest.raises(
                RollupsError, match=r"No space left on device.*free space"
            ) as caught:
                warehouse.refresh()
            assert "metrics_campaign_daily" in str(caught.value)
            trial.require_pending("failed")
            filler.unlink()
            trial.require_healed()
            warehouse.connection.execute(
                sql.SQL("alter table {} set tablespace pg_default").format(
                    sql.Identifier(schema, table)
                )
            )
        warehouse.connection.execute(sql.SQL("drop tablespace {}").format(sql.Identifier(space)))


def _add_many_days(warehouse: OutreachWarehouse) -> None:
    """More rows than the free room in the pages of a small table takes."""
    warehouse.connection.execute(
        "insert into outbound_messages (id, tenant_id, campaign_id, contact_id, channel,"
        " dedupe_key, state, sent_at, created_at, updated_at)"
        " select 'many_' || n, 'acme', 'campaign_acme_ann', 'acme_ann', 'email', 'many_' || n,"
        " 'sent', timestamp '2025-01-01' + n * interval '1 day', localtimestamp, localtimestamp"
        " from generate_series(1, 200) as n"
    )
