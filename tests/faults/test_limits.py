"""A refresh that runs into a limit says which, in bounded time, and its work stays pending."""

from __future__ import annotations

import os
import subprocess
import time
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
from tests.faults.trial import RefreshInThread, Trial, dbt_program, refresh_program
from tests.outreach.warehouse import OutreachWarehouse

DISK_BYTES = 4 * 1024 * 1024


@pytest.mark.parametrize("relation", [MIDDLE, "ops.pending", "ops.refresh_scope"])
def test_lock_held_by_another_session(trial: Trial, relation: str) -> None:
    warehouse = trial.warehouse
    settings = warehouse.settings.model_copy(update={"lock_timeout_seconds": 1})
    with held(warehouse.url, relation):
        started = time.monotonic()
        with pytest.raises(RollupsError, match=r"lock timeout.*ROLLUPS_LOCK_TIMEOUT") as caught:
            refresh(settings, warehouse.url, RefreshRequest("outreach", "test"))
        assert time.monotonic() - started < 30
        assert "\n" not in str(caught.value)
    # Stopped before it could note what changed, the refresh finds it behind the watermark again.
    trial.require_ended("failed") if relation == "ops.pending" else trial.require_pending("failed")
    trial.require_healed()


def test_lock_that_is_given_back_is_waited_for(trial: Trial) -> None:
    warehouse = trial.warehouse
    with refresh_program(warehouse.settings, warehouse.url) as process:
        with held(warehouse.url, MIDDLE):
            wait_for_writer(warehouse.url, MIDDLE)
        assert process.wait(60) == 0
    assert trial.status() == "completed"
    trial.require_done()


def test_dbt_by_itself_keeps_the_limits_of_the_last_refresh(trial: Trial, tmp_path: Path) -> None:
    warehouse = trial.warehouse
    warehouse.connection.execute(
        "insert into ops.config values ('lock_timeout_seconds', '1')"
        " on conflict (name) do update set value = excluded.value"
    )
    with held(warehouse.url, MIDDLE):
        with dbt_program(warehouse.settings, warehouse.url, tmp_path, "build") as process:
            said = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert "canceling statement due to lock timeout" in said
    trial.require_pending("failed")
    trial.require_healed()


def test_statement_takes_too_long(trial: Trial) -> None:
    warehouse = trial.warehouse
    settings = warehouse.settings.model_copy(update={"statement_timeout_seconds": 1})
    with held(warehouse.url, MIDDLE):
        running = RefreshInThread(settings, warehouse.url)
        said = running.fails()
    assert "canceling statement due to statement timeout" in said
    assert "ROLLUPS_STATEMENT_TIMEOUT_SECONDS" in said
    trial.require_pending("failed")
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
