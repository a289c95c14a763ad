"""Processes as the embedded server needs them: whose it is, which one it is, how it is launched."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import DatabaseError

PORTS = range(10_000, 32_768)
"""Ports we choose from: above the usual services, below what Linux hands to outgoing calls."""

_PROC = Path("/proc")
_HAS_PROC = (_PROC / "self" / "cwd").is_symlink()
# The server is its own session, without a terminal; the shell ends at once and gives its number.
_DETACH = '"$@" >&2 </dev/null & echo $!'


@dataclass(frozen=True)
class Account:
    """The ordinary user that owns the data and runs the server when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class PidFile:
    """What ``postmaster.pid`` says; ``ready`` once the server takes connections."""

    pid: int
    ready: bool


def server_account(data_dir: Path) -> Account | None:
    """Who runs the server: ``None`` is the current user; root hands it to somebody else.

    As root it is the owner of existing data, else ``postgres``, else ``nobody``: PostgreSQL
    refuses to run as root. Raises ``DatabaseError`` when there is no such user.
    """
    if os.geteuid() != 0:
        return None
    owner = data_dir.stat() if data_dir.exists() else None
    if owner is not None and owner.st_uid != 0:
        return Account(_user_name(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise DatabaseError(
        "PostgreSQL does not run as root and there is no user postgres or nobody: "
        "add one, or run as an ordinary user"
    )


def run(
    command: Sequence[str | Path], account: Account | None, *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as the account; raises ``OSError`` when it cannot be run."""
    return subprocess.run(
        [str(part) for part in command],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=300,
        cwd="/",
        env=_environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def launch(command: Sequence[str | Path], account: Account | None, log: int) -> int:
    """Start a command that outlives us and our terminal, writing to ``log``; gives its pid."""
    shell = subprocess.run(
        ["/bin/sh", "-c", _DETACH, "sh", *(str(part) for part in command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        check=True,
        start_new_session=True,
        cwd="/",
        env=_environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    return int(shell.stdout)


def can_enter(folder: Path, account: Account | None) -> bool:
    """Whether the account may pass through every folder down to this one."""
    if account is None:
        return True
    return run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], account).returncode == 0


def pid_exists(pid: int) -> bool:
    """Whether the number is taken, be it by a zombie or by somebody else's process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_running(pid: int) -> bool:
    """Whether the process still works; one that ended but was not collected does not."""
    if not _HAS_PROC:
        return pid_exists(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def serves(pid: int, data_dir: Path) -> bool:
    """Whether the process is a PostgreSQL one that works in this data directory."""
    if _HAS_PROC:
        process = _PROC / str(pid)
        try:
            if (process / "comm").read_text().strip() != "postgres":
                return False
        except OSError:
            return False
        return same_folder(process / "cwd", data_dir)
    listed = run(["ps", "-ww", "-o", "command=", "-p", str(pid)], None).stdout
    return f"postgres -D {data_dir} " in f"{listed.strip()} "


def read_pid_file(data_dir: Path) -> PidFile | None:
    """The server's own note in its data directory; ``None`` when there is none or it is cut off."""
    try:
        lines = (data_dir / "postmaster.pid").read_text(errors="replace").splitlines()
        pid = abs(int(lines[0]))
    except (OSError, IndexError, ValueError):
        return None
    return PidFile(pid, ready=len(lines) > 7 and lines[7].strip() == "ready") if pid else None


def same_folder(one: Path, other: Path) -> bool:
    """Whether both names lead to one folder that we can see."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def clear_remains(data_dir: Path) -> None:
    """Remove what a killed server left and the next one would trip over.

    Call it only when no server works in ``data_dir``. PostgreSQL itself recognises a pid file
    whose process is gone, and then checks that no backend lives on; it gives up when the number
    belongs to another process by now, or when the file is cut off.
    """
    noted = read_pid_file(data_dir)
    if noted is None or pid_exists(noted.pid):
        (data_dir / "postmaster.pid").unlink(missing_ok=True)
    _end_orphans(data_dir)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port out of ``PORTS``, taken at random so that projects seldom meet."""
    for _ in range(500):
        port = secrets.choice(PORTS)
        if port_is_free(port):
            return port
    raise DatabaseError(
        f"no free port between {PORTS[0]} and {PORTS[-1]} on 127.0.0.1: set ROLLUPS_PG_PORT"
    )


@contextmanager
def file_lock(path: Path, *, seconds: float = 180) -> Iterator[None]:
    """Hold a lock between processes; it goes with us however we end."""
    deadline = time.monotonic() + seconds
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DatabaseError(
                        f"another process has held {path} for {seconds:.0f} s: end it and try again"
                    ) from None
                time.sleep(0.03)
        yield
    finally:
        os.close(handle)


def _end_orphans(data_dir: Path, *, seconds: float = 5) -> None:
    """End backends that outlived a killed server, as the server would have done.

    A backend in the middle of a computation does not notice at once and keeps the next server
    from starting. Only where ``/proc`` exists; elsewhere the start waits for a person.
    """
    if not _HAS_PROC:
        return
    deadline = time.monotonic() + seconds
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    orphans = [pid for pid in pids if serves(pid, data_dir)]
    for pid in orphans:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
    while any(is_running(pid) for pid in orphans) and time.monotonic() < deadline:
        time.sleep(0.02)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _environment() -> dict[str, str]:
    # No PG* variable and no secret of ours reaches the server; messages stay English.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "LC_ALL": "C", **kept}
