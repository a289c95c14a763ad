"""Every error as one line and an exit code."""

from __future__ import annotations

import traceback

import typer

from orchestration.cli import INTERRUPTED, was_interrupted
from orchestration.errors import RollupsError

USAGE = 2
DATABASE = 3
UNEXPECTED = 70

MOST_SHOWN = 2_000

EXIT_CODES = (
    "Exit codes: 0 done - 1 a check failed or differs - 2 wrong argument or setting, or nobody to "
    "ask - 3 database unreachable or not allowed - 4 source tables unfit - 5 a refresh failed (its "
    f"work stays pending) - {UNEXPECTED} an error of ours - {INTERRUPTED} interrupted."
)


def explain(error: BaseException) -> tuple[str, int]:
    """The message (one line) and the exit code of any error that ended a command."""
    if was_interrupted() or isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return "interrupted", INTERRUPTED
    if isinstance(error, RollupsError):
        return _one_line(str(error)), error.exit_code
    usage = getattr(error, "format_message", None)
    if usage is not None:
        return _usage(error, usage()), USAGE
    database = _database_error(error)
    if database is not None:
        return database, DATABASE
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{where.filename.rpartition('orchestration/')[2]}:{where.lineno}"
    text = _one_line(f"{type(error).__name__} {error}")
    return f"{text} ({place}; ROLLUPS_DEBUG=1 shows all of it)", UNEXPECTED


def _usage(error: BaseException, message: str) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "rollups"
    return f"{_one_line(message).rstrip('.')} (see {command} --help)"


def _database_error(error: BaseException) -> str | None:
    try:
        import psycopg
        from psycopg import errors
    except ImportError:
        return None
    if not isinstance(error, psycopg.Error):
        return None
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return f"{text}: connect to the primary server, with a role that may write"
    if isinstance(error, errors.InsufficientPrivilege):
        return f"{text}: use the role that ran `rollups init`, or grant it that right"
    if isinstance(error, (errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedColumn)):
        return f"{text}: this database is behind this version: run `rollups init`"
    if isinstance(error, psycopg.OperationalError):
        return f"{text}: what was not completed stays pending, run the command again"
    return f"database error: {text}"


def _one_line(text: str) -> str:
    """The message without what a terminal would obey, and without the middle of a huge one."""
    line = " ".join(text.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    half = MOST_SHOWN // 2
    return line if len(line) <= MOST_SHOWN else f"{line[:half]} ... {line[-half:]}"
