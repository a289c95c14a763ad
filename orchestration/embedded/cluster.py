"""The files of the embedded server: its data directory, its settings and its log."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from orchestration.embedded.binaries import Binaries
from orchestration.embedded.process import Account, run
from orchestration.errors import DatabaseError

NAME = "rollups"
"""The database, and the superuser that owns it."""

LOG_LIMIT = 10 * 1024 * 1024
_LOG_KEPT = 1024 * 1024
_ASIDE = "data.new-"
_SMALL_SHM = 256 * 1024 * 1024

SETTINGS = {
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
"""Settings for a laptop. ``alter system`` overrides any of them."""


def create_data(data_dir: Path, binaries: Binaries, account: Account | None, password: str) -> Path:
    """Make a data directory beside its future place and give its path; the caller renames it.

    It holds the superuser and the database ``rollups``. Remains of an attempt that was cut off
    are removed first. Raises ``DatabaseError`` with the first error of the program that failed.
    """
    place = data_dir.parent
    for remains in place.glob(_ASIDE + "*"):
        _remove(remains)
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=place))
    handle, name = tempfile.mkstemp(prefix=_ASIDE, dir=place)
    password_file = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(password + "\n")
        if account is not None:
            os.chown(aside, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        _initdb(aside, binaries, account, password_file)
        _create_database(aside, binaries, account)
    except BaseException:
        _remove(aside)
        raise
    finally:
        password_file.unlink()
    return aside


def write_settings(path: Path) -> None:
    """Write the server's settings file; it lies beside ``data`` and is written at every start."""
    settings = dict(SETTINGS)
    shared = Path("/dev/shm")
    if shared.is_dir() and shutil.disk_usage(shared).total < _SMALL_SHM:
        # A container's small /dev/shm makes parallel queries fail half-way.
        settings["dynamic_shared_memory_type"] = "mmap"
    lines = [
        "# Written at every start of the embedded server. Change a setting with: alter system.",
        "include 'data/postgresql.conf'",
        *(f"{name} = '{value}'" for name, value in settings.items()),
    ]
    temporary = path.with_name(path.name + ".new")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.chmod(0o644)
    temporary.replace(path)


def open_log(path: Path) -> int:
    """Open the log for appending (a file descriptor); only its last megabyte stays when over 10."""
    handle = os.open(
        path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    size = os.fstat(handle).st_size
    if size > LOG_LIMIT:
        kept = os.pread(handle, _LOG_KEPT, size - _LOG_KEPT)
        os.ftruncate(handle, 0)
        os.write(handle, kept)
    return handle


def first_error(text: str) -> str:
    """The line of a PostgreSQL program's output that says why, without its time and number."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("PANIC:", "FATAL:", "ERROR:", "error:"):
        for line in lines:
            if mark in line:
                return line.partition(mark)[2].strip()
    return lines[-1] if lines else "it said nothing"


def _initdb(aside: Path, binaries: Binaries, account: Account | None, password_file: Path) -> None:
    command = [
        binaries.initdb,
        f"--pgdata={aside}",
        f"--username={NAME}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
        "--locale=C",
    ]
    # Sorted by bytes everywhere, yet lower() knows letters beyond ASCII.
    if binaries.major >= 17:
        made = run([*command, "--locale-provider=builtin", "--builtin-locale=C.UTF-8"], account)
    else:
        made = run([*command, "--lc-ctype=C.UTF-8"], account)
        if "invalid locale" in made.stderr:
            made = run(command, account)
    if made.returncode != 0:
        raise DatabaseError(
            f"initdb could not make {aside.with_name('data')}: {first_error(made.stderr)}"
        )


def _create_database(aside: Path, binaries: Binaries, account: Account | None) -> None:
    # Before the rename and without a port: the directory appears complete or not at all.
    made = run(
        [binaries.postgres, "--single", "-D", aside, "-c", "lc_messages=C", "postgres"],
        account,
        stdin=f"create database {NAME}\n",
    )
    if made.returncode != 0 or "ERROR:" in made.stderr:
        raise DatabaseError(f"the database {NAME} was not created: {first_error(made.stderr)}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
