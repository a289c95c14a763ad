"""The embedded server itself: start, stop and ask, from any process, at any time."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

from orchestration.embedded import cluster, process
from orchestration.embedded.binaries import Binaries, find_binaries
from orchestration.embedded.layout import Connection, Layout
from orchestration.embedded.process import Account
from orchestration.errors import DatabaseError

StopMode = Literal["smart", "fast", "immediate"]

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_READY_SECONDS = 120
_STOP_SECONDS = 60
_PORT_ATTEMPTS = 5


@dataclass(frozen=True)
class ServerStatus:
    """What is known about the server; ``url`` is ``None`` until it was started once.

    ``version`` is the running server's ("18.6"), else the data directory's major version.
    """

    running: bool
    url: str | None
    pid: int | None
    data_dir: Path
    version: str | None


class EmbeddedPostgres:
    """One PostgreSQL server per home folder, listening on 127.0.0.1 only.

    It outlives the process that started it. ``home/postgres`` holds the data directory, the log
    and ``connection.json`` (port and password, mode 0600). Run as root, the server belongs to an
    ordinary user; when that user cannot reach the home, data and log live in a folder below
    ``/var`` that ``home/postgres/location`` names. All errors are ``DatabaseError``.
    """

    def __init__(self, home: Path, *, bin_dir: Path | None = None, port: int | None = None) -> None:
        self._files = Layout(home)
        self._bin_dir = bin_dir.expanduser().resolve() if bin_dir is not None else None
        self._port = port

    @property
    def data_dir(self) -> Path:
        """The data directory, whether it exists yet or not."""
        with self._reported():
            return self._files.data_dir

    @property
    def log_path(self) -> Path:
        """The server's log; a start cuts it back to 1 MB when it passed 10 MB."""
        with self._reported():
            return self._files.log

    @property
    def url(self) -> str:
        """The administrator's URL; ``DatabaseError`` when the server was never started."""
        with self._reported():
            connection = self._files.read_connection()
            if connection is None or not self._files.has_data():
                raise DatabaseError(
                    f"there is no embedded database in {self._files.folder} yet: start it once"
                )
            return connection.url

    def start(self) -> str:
        """Start the server unless it runs, making it first if need be; gives ``url``.

        Any number of processes may call this at once: one starts the server, the others wait.
        """
        with self._reported():
            if url := self._answering_url():
                return url
            self._files.make_folder()
            with process.file_lock(self._files.lock):
                return self._answering_url() or self._start_alone()

    def stop(self, mode: StopMode = "fast") -> bool:
        """Stop the server and wait for its end; ``False`` when none ran.

        ``fast`` ends the clients' transactions, ``smart`` waits for the clients, ``immediate``
        leaves recovery to the next start. ``DatabaseError`` when it still runs after a minute.
        """
        with self._reported():
            if not self._files.folder.is_dir():
                return False
            with process.file_lock(self._files.lock):
                pid = self._server_pid()
                if pid is None:
                    return False
                os.kill(pid, _SIGNALS[mode])
                deadline = time.monotonic() + _STOP_SECONDS
                while process.is_running(pid):
                    if time.monotonic() > deadline:
                        raise DatabaseError(
                            f"process {pid} did not stop within {_STOP_SECONDS} s ({mode}): "
                            "close its clients, or stop it with mode immediate"
                        )
                    time.sleep(0.02)
                return True

    def status(self) -> ServerStatus:
        """Look, without waiting for a start or a stop that another process is in the middle of."""
        with self._reported():
            connection = self._files.read_connection()
            made = connection is not None and self._files.has_data()
            version = self._version_answered(connection) if connection else None
            return ServerStatus(
                running=version is not None,
                url=connection.url if connection and made else None,
                pid=self._server_pid() if version else None,
                data_dir=self._files.data_dir,
                version=version or (self._files.data_version() if made else None),
            )

    def _start_alone(self) -> str:
        """The start itself, by the one process that holds the lock."""
        connection = self._files.read_connection()
        pid = self._server_pid()
        if pid is not None and connection is not None:
            # Somebody's start was cut off, or the server recovers or stops just now.
            url = self._wait_until_ready(pid, connection)
            if url is not None:
                return url
        account = process.server_account(self._files.data_dir)
        self._files.settle(account)
        binaries = find_binaries(self._bin_dir, account, self._files.place)
        if not self._files.has_data():
            connection = self._initialise(binaries, account)
        elif connection is None:
            raise DatabaseError(
                f"{self._files.connection} is missing, and with it the password of "
                f"{self._files.data_dir}: restore it, or delete that folder to start empty"
            )
        self._check_version(binaries)
        process.clear_remains(self._files.data_dir)
        cluster.write_settings(self._files.settings)
        return self._launch(binaries, account, connection)

    def _launch(self, binaries: Binaries, account: Account | None, connection: Connection) -> str:
        for _ in range(_PORT_ATTEMPTS):
            connection = self._with_free_port(connection)
            required = {
                "config_file": self._files.settings,
                "listen_addresses": "127.0.0.1",
                "port": connection.port,
                "unix_socket_directories": "",
            }
            options = [part for item in required.items() for part in ("-c", "{}={}".format(*item))]
            log = cluster.open_log(self._files.log)
            try:
                log_from = os.fstat(log).st_size
                pid = process.launch(
                    [binaries.postgres, "-D", self._files.data_dir, *options], account, log
                )
            finally:
                os.close(log)
            url = self._wait_until_ready(pid, connection)
            if url is not None:
                return url
            said = self._files.log_since(log_from)
            if "Address already in use" not in said:
                raise DatabaseError(
                    f"the embedded PostgreSQL did not start: {cluster.first_error(said)}; "
                    f"see {self._files.log}"
                )
        raise DatabaseError(
            f"other programs took {_PORT_ATTEMPTS} ports in a row: set ROLLUPS_PG_PORT"
        )

    def _wait_until_ready(self, pid: int, connection: Connection) -> str | None:
        """The URL once the server answers; ``None`` when its process ended."""
        deadline = time.monotonic() + _READY_SECONDS
        reason = "still recovering"
        while time.monotonic() < deadline:
            noted = process.read_pid_file(self._files.data_dir)
            if noted is not None and noted.pid == pid and noted.ready:
                try:
                    if self._ask(connection) is not None:
                        return connection.url
                    raise DatabaseError(
                        f"{self._files.data_dir} was moved while its server (process {pid}) ran: "
                        "stop the server, then start it again"
                    )
                except psycopg.Error as error:
                    reason = str(error).strip().splitlines()[-1]
                    if "authentication failed" in reason:
                        raise DatabaseError(
                            "the embedded PostgreSQL refuses the password in "
                            f"{self._files.connection}: restore that file"
                        ) from None
            if not process.is_running(pid):
                return None
            time.sleep(0.02)
        raise DatabaseError(
            f"the embedded PostgreSQL (process {pid}) is not ready after {_READY_SECONDS} s "
            f"({reason}): try again, or see {self._files.log}"
        )

    def _ask(self, connection: Connection) -> str | None:
        """The version of the server at that port if its data is ours; raises ``psycopg.Error``."""
        with psycopg.connect(
            connection.url,
            connect_timeout=3,
            sslmode="disable",
            gssencmode="disable",
            application_name="rollups embedded",
        ) as asked:
            row = asked.execute(
                "select current_setting('data_directory'), current_setting('server_version')"
            ).fetchone()
        if row is None or not process.same_folder(Path(row[0]), self._files.data_dir):
            return None
        return str(row[1]).split()[0]

    def _version_answered(self, connection: Connection) -> str | None:
        # A server that was stopped took its note along: no need to ask a stranger on its port.
        if not self._files.pid_file.exists():
            return None
        try:
            return self._ask(connection)
        except psycopg.Error:
            return None

    def _answering_url(self) -> str | None:
        connection = self._files.read_connection()
        return connection.url if connection and self._version_answered(connection) else None

    def _server_pid(self) -> int | None:
        data_dir = self._files.data_dir
        noted = process.read_pid_file(data_dir)
        return noted.pid if noted and process.serves(noted.pid, data_dir) else None

    def _initialise(self, binaries: Binaries, account: Account | None) -> Connection:
        data_dir = self._files.data_dir
        if data_dir.exists() and any(data_dir.iterdir()):
            raise DatabaseError(
                f"{data_dir} is neither empty nor a PostgreSQL data directory: move it away"
            )
        connection = Connection(self._port or process.free_port(), secrets.token_urlsafe(24))
        aside = cluster.create_data(data_dir, binaries, account, connection.password)
        # The password first: data without its password would be of no use.
        self._files.write_connection(connection)
        aside.rename(data_dir)
        return connection

    def _check_version(self, binaries: Binaries) -> None:
        made_by = self._files.data_version()
        if made_by != str(binaries.major):
            raise DatabaseError(
                f"{self._files.data_dir} was made by PostgreSQL {made_by}, but {binaries.folder} "
                f"is PostgreSQL {binaries.major}: set ROLLUPS_PG_BIN to version {made_by}'s bin "
                "folder, or delete the data directory to start empty"
            )

    def _with_free_port(self, connection: Connection) -> Connection:
        """The connection, on a port that is free now; remembered before the server starts."""
        port = self._port or connection.port
        if not process.port_is_free(port):
            if self._port is not None:
                raise DatabaseError(
                    f"port {port} is taken by another program: free it, or change ROLLUPS_PG_PORT"
                )
            port = process.free_port()
        chosen = Connection(port, connection.password)
        if chosen != connection:
            self._files.write_connection(chosen)
        return chosen

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatabaseError(
                f"{error.filename or self._files.folder}: {error.strerror or error}: give this "
                "user access, or set ROLLUPS_HOME to a folder of its own"
            ) from error
        except subprocess.SubprocessError as error:
            raise DatabaseError(f"a PostgreSQL program failed: {error}: try again") from error
