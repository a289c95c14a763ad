"""Asking the functions of schema ``report``: arguments in, rows out, nothing computed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from orchestration.errors import DatabaseError, InputError
from orchestration.written import require_text, written_date

Instant = datetime | date | str

# The functions, and their arguments besides the tenant with the types they are cast to.
_TYPES = {
    "since": "timestamptz",
    "until": "timestamptz",
    "bucket": "timestamptz",
    "business_hours": "boolean",
    "page": "integer",
    "per_page": "integer",
}
FUNCTIONS = (
    "timeseries",
    "aggregate",
    "summary",
    "bot_metrics",
    "bot_summary",
    "diagnose",
    "diagnose_bots",
    "freshness",
    "source_of",
    "timezone_of",
    "label_summary",
    "channel_summary",
    "first_response_distribution",
    "inbox_label_matrix",
    "drilldown",
)

# Refused by the function itself, or a number or a time that no column can hold.
_REFUSED = ("22023", "22003", "22008")
_UNDEFINED = ("42883", "42P01", "3F000")
_NOT_ALLOWED = "42501"


class Cursor(Protocol):
    """As much of a DB-API cursor as is needed, of whichever driver."""

    description: Any

    def execute(self, query: Any, parameters: Any = ..., /) -> Any: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Answer:
    """The rows of an answer; ``types`` are PostgreSQL's type numbers of the columns."""

    columns: tuple[str, ...]
    types: tuple[int, ...]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    @property
    def complete(self) -> bool | None:
        """Whether all that happened is in every row; ``None`` where an answer does not say."""
        if "complete" not in self.columns:
            return None
        place = self.columns.index("complete")
        return all(row[place] for row in self.rows)

    @property
    def value(self) -> Any:
        """The first value of the first row."""
        return self.rows[0][0]


def ask(cursor: Cursor, function: str, tenant: str | None, **arguments: Any) -> Answer:
    """Call a function of ``FUNCTIONS``; arguments that are None keep their defaults.

    Raises ``InputError`` with the database's message when it refuses the question, and
    ``DatabaseError`` when it cannot answer any.
    """
    if function not in FUNCTIONS:
        raise ValueError(f"{function} is no function of the read model")
    given = {name: value for name, value in arguments.items() if value is not None}
    unknown = [name for name in given if not name.isidentifier()]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no argument")
    call = ", ".join(
        ["tenant_id => %s::text"] + [f"{name} => %s::{_TYPES.get(name, 'text')}" for name in given]
    )
    return query(cursor, f"select * from report.{function}({call})", [tenant, *given.values()])


def query(cursor: Cursor, text: str, parameters: Sequence[Any]) -> Answer:
    """Run a query of ours, with its errors told as ours."""
    for parameter in parameters:
        if isinstance(parameter, str):
            require_text("text", parameter)
    try:
        cursor.execute(text, parameters)
        rows = cursor.fetchall()
    except Exception as error:
        raise _explained(error) from error
    columns = tuple(column[0] for column in cursor.description)
    types = tuple(column[1] for column in cursor.description)
    return Answer(columns, types, rows)


def instant(cursor: Cursor, name: str, value: Instant, zone: str) -> datetime:
    """An instant; of a date (also as text) the start of that day in ``zone``.

    A time without a zone raises ``InputError``: nobody knows which moment is meant.
    """
    parsed = _parsed(name, value)
    if isinstance(parsed, datetime):
        if parsed.tzinfo is None:
            raise InputError(
                f"{name} {value!s} has no time zone: write {parsed.isoformat()}+00:00, or a date"
            )
        return parsed
    answer = query(cursor, "select report.day_start(%s::date, %s::text)", [parsed, zone])
    return answer.value


def is_date(value: Instant) -> bool:
    """Whether a whole day is meant."""
    if isinstance(value, str):
        return len(value.strip()) == len("2025-03-31")
    return not isinstance(value, datetime)


def _parsed(name: str, value: Instant) -> datetime | date:
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return written_date(text) if is_date(text) else datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{name} {text[:40]!r} is neither a date nor an instant:"
            " use 2025-03-31 or 2025-03-31T12:00:00+00:00"
        ) from None


def _explained(error: Exception) -> Exception:
    """The error of either driver as one of ours; what is not from the database stays as it is."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state is None:
        return error
    diagnosis = getattr(error, "diag", None)
    message = str(getattr(diagnosis, "message_primary", None) or error)
    if state in _REFUSED:
        return InputError(message)
    if state in _UNDEFINED:
        return DatabaseError(f"{message}: this database is behind this version: run `rollups init`")
    if state == _NOT_ALLOWED:
        return DatabaseError(f"{message}: use the role that ran `rollups init`, or grant it that")
    return DatabaseError(message)


@contextmanager
def cursor_of(source: Any) -> Iterator[Cursor]:
    """A cursor of a URL, a psycopg connection or an SQLAlchemy engine.

    A connection that was given stays open and is left as it was, also after an error.
    """
    if isinstance(source, str):
        with _connected(source) as connection, connection.cursor() as cursor:
            yield cursor
    elif hasattr(source, "raw_connection"):
        connection = source.raw_connection()
        try:
            yield connection.cursor()
        finally:
            # Nothing was written: this only ends the transaction.
            connection.rollback()
            connection.close()
    elif hasattr(source, "transaction") and hasattr(source, "cursor"):
        with source.transaction(), source.cursor(row_factory=_tuples()) as cursor:
            yield cursor
    else:
        raise InputError(
            "Reports needs a database: a URL (postgresql://...), a psycopg connection or an"
            f" SQLAlchemy engine, not {type(source).__name__}"
        )


def _connected(url: str) -> Any:
    from orchestration.warehouse.connection import connect

    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise InputError(
            "the URL of the database has to be postgresql://user:password@host:port/database"
        )
    # SQLAlchemy's form names a driver as well.
    return connect(f"postgresql://{rest}", application="rollups reports")


def _tuples() -> Any:
    from psycopg.rows import tuple_row

    return tuple_row
