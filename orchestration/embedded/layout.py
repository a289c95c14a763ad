"""Where the embedded server keeps its files, and the port and password it is reached with."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestration.embedded import cluster
from orchestration.embedded.process import Account, can_enter
from orchestration.errors import DatabaseError

# Where root's data goes when the server's user cannot reach the home. Not /tmp: it is emptied.
SHARED = (Path("/var/lib"), Path("/var/tmp"))


@dataclass(frozen=True)
class Connection:
    """How the server is reached: a port of 127.0.0.1 and the superuser's password."""

    port: int
    password: str

    @property
    def url(self) -> str:
        """The administrator's URL."""
        return f"postgresql://{cluster.NAME}:{self.password}@127.0.0.1:{self.port}/{cluster.NAME}"


class Layout:
    """The files of one server.

    ``folder`` (``home/postgres``) has the lock and ``connection.json``, which only its owner can
    read. ``place`` has the data directory, the settings and the log. It is the same folder, or
    the one that ``folder/location`` names. The methods let ``OSError`` through.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home.expanduser().resolve() / "postgres"
        self.lock = self.folder / "lock"
        self.connection = self.folder / "connection.json"
        self._pointer = self.folder / "location"

    @property
    def place(self) -> Path:
        """The folder with data, settings and log."""
        try:
            place = Path(self._pointer.read_text(encoding="utf-8").rstrip("\n"))
        except FileNotFoundError:
            return self.folder
        return place if place.is_dir() else self.folder

    @property
    def data_dir(self) -> Path:
        """The data directory, whether it exists yet or not."""
        return self.place / "data"

    @property
    def pid_file(self) -> Path:
        """The note a server leaves in its data directory while it runs, or when it was killed."""
        return self.data_dir / "postmaster.pid"

    @property
    def settings(self) -> Path:
        """The server's settings file."""
        return self.place / "server.conf"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.place / "server.log"

    def make_folder(self) -> None:
        """Make ``folder``; folders above it get the usual rights and keep them."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            # As root the server's user passes through, without reading.
            self.folder.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def settle(self, account: Account | None) -> None:
        """Choose ``place``, once: ``folder`` if the server's user can reach it, else below /var.

        Raises ``DatabaseError`` when existing data became unreachable or nothing is reachable.
        """
        if account is None or can_enter(self.place, account):
            return
        if self.has_data():
            raise DatabaseError(
                f"{account.name}, who runs the server, cannot reach {self.data_dir}: let that user "
                "pass through the folders above it, or set ROLLUPS_HOME to another folder"
            )
        for shared in SHARED:
            if os.access(shared, os.W_OK) and can_enter(shared, account):
                place = Path(tempfile.mkdtemp(prefix="rollups-", dir=shared))
                place.chmod(0o711)
                (place / "home").write_text(f"{self.folder}\n", encoding="utf-8")
                self._pointer.write_text(f"{place}\n", encoding="utf-8")
                return
        raise DatabaseError(
            f"{account.name}, who runs the server, cannot reach {self.folder}: set ROLLUPS_HOME to "
            "a folder outside root's home"
        )

    def has_data(self) -> bool:
        """Whether a data directory was made; it appears complete or not at all."""
        return (self.data_dir / "PG_VERSION").is_file()

    def data_version(self) -> str:
        """The major version that made the data directory."""
        return (self.data_dir / "PG_VERSION").read_text(errors="replace").strip()

    def log_since(self, position: int) -> str:
        """What was logged after this many bytes."""
        with self.log.open("rb") as log:
            log.seek(position)
            return log.read().decode("utf-8", errors="replace")

    def read_connection(self) -> Connection | None:
        """The stored port and password; ``None`` before the first start."""
        try:
            stored = json.loads(self.connection.read_text(encoding="utf-8"))
            return Connection(int(stored["port"]), str(stored["password"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise DatabaseError(
                f"{self.connection} is damaged: restore it, or stop the server and delete "
                f"{self.data_dir} and this file to start empty"
            ) from None

    def write_connection(self, connection: Connection) -> None:
        """Store port and password, readable by the owner of ``folder`` only."""
        handle, name = tempfile.mkstemp(prefix="connection-", dir=self.folder)  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"port": connection.port, "password": connection.password}, file)
            file.flush()
            os.fsync(handle)
            if os.geteuid() == 0:
                owner = self.folder.stat()
                os.fchown(handle, owner.st_uid, owner.st_gid)
        Path(name).replace(self.connection)
