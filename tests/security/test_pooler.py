"""A pooler in transaction mode: pgbouncer, one server connection a login, clients in turns."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.security.conftest import ALICE, BOB, MINE, ROWS, THEIRS, Secured, Session


def pgbouncer() -> str | None:
    # Debian puts it where only an administrator's PATH looks.
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@pytest.fixture(scope="module")
def pooled(secured: Secured, open_folder: Path) -> Iterator[dict[str, str]]:
    """URLs through the pooler by login."""
    program = pgbouncer()
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    folder = open_folder / "pooler"
    folder.mkdir(mode=0o755)
    server = conninfo_to_dict(secured.url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    users = {name: conninfo_to_dict(secured.logins[name]) for name in (ALICE, BOB)}
    (folder / "users").write_text(
        "".join(f'"{one["user"]}" "{one["password"]}"\n' for one in users.values())
    )
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server['port']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {folder / 'users'}\npool_mode = transaction\n"
        "default_pool_size = 1\n"
    )
    for name in ("users", "ini"):
        (folder / name).chmod(0o644)
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [program, "-q", *account, str(folder / "ini")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    urls = {
        name: f"postgresql://{one['user']}:of%20{name}@127.0.0.1:{port}/{server['dbname']}"
        for name, one in users.items()
    }
    try:
        for attempt in range(50):
            try:
                psycopg.connect(urls[ALICE]).close()
                break
            except psycopg.OperationalError:
                if attempt == 49:
                    raise
                time.sleep(0.1)
        yield urls
    finally:
        process.terminate()
        process.wait(10)


def open_session(url: str) -> Session:
    return Session(psycopg.connect(url, autocommit=True, prepare_threshold=None))


def test_what_one_client_sets_opens_nothing_for_another(pooled: dict[str, str]) -> None:
    alices = [open_session(pooled[ALICE]) for _ in range(2)]
    bob = open_session(pooled[BOB])
    backends = {session.run("select pg_backend_pid()")[0][0] for session in alices}
    assert len(backends) == 1, "two clients share one connection to the server"
    for setting in (
        "set row_security = off",
        "set search_path = visible, ops, pg_catalog",
        "set rollups.refresh_id = 'birch'",
        "set role rollups_tenant_reader",
        "set plan_cache_mode = force_generic_plan",
        "discard all",
    ):
        for session in (*alices, bob):
            session.attempt(setting)
            for other in (*alices, bob):
                # Another one's settings may make it see less, never more.
                other.attempt(f"select tenant_id from {ROWS}", "reset all", "reset role")
    bob.run(f"select tenant_id from {ROWS}")
    for session in alices:
        assert session.run(f"select distinct tenant_id from {ROWS}") == [(MINE,)]
        assert session.knows(MINE)
        assert not session.knows()
    assert bob.knows(THEIRS)
    assert not bob.knows(MINE)


def test_prepared_statements_through_the_pooler(pooled: dict[str, str]) -> None:
    sessions = {
        name: psycopg.connect(pooled[name], autocommit=True, prepare_threshold=0)
        for name in (ALICE, BOB)
    }
    query = f"select distinct tenant_id from {ROWS} where date > %s"
    for name, tenant in ((ALICE, MINE), (BOB, THEIRS)) * 8:
        rows = sessions[name].execute(query.encode(), ["2000-01-01"]).fetchall()
        assert rows == [(tenant,)]
