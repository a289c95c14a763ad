"""Where a command works: settings, the database, and arguments checked against both."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Output
from orchestration.errors import DatabaseError, InputError
from orchestration.written import written_date

if TYPE_CHECKING:
    import psycopg

    from orchestration.settings import Settings
    from orchestration.warehouse.tenants import Tenant

Family = Annotated[str | None, typer.Option("--family", help="outreach or support; default: both.")]
OneFamily = Annotated[str, typer.Option("--family", help="Family of tables: outreach or support.")]
Tenants = Annotated[
    list[str] | None,
    typer.Option("--tenant", "--account", help="Only this tenant (account); may be given again."),
]
DateFrom = Annotated[str | None, typer.Option("--from", help="First local date, YYYY-MM-DD.")]
DateTo = Annotated[str | None, typer.Option("--to", help="Last local date, YYYY-MM-DD.")]

_HINTS = (
    ("too many", "free a connection or raise max_connections"),
    ("connection slots", "free a connection or raise max_connections"),
    ("password", "correct the user and password in ROLLUPS_DATABASE_URL"),
    ("authentication", "correct the user and password in ROLLUPS_DATABASE_URL"),
    ("no pg_hba.conf entry", "let this user and address in (pg_hba.conf), or add ?sslmode=require"),
    ("role", "create that role or correct the user in ROLLUPS_DATABASE_URL"),
    ("database", "create that database or correct its name in ROLLUPS_DATABASE_URL"),
    ("starting up", "wait a moment and try again"),
    ("", "start that server or correct ROLLUPS_DATABASE_URL"),
)


def load_settings() -> Settings:
    """The settings; read when a command runs, so that `rollups --help` is quick."""
    from orchestration.settings import load_settings as read_settings

    return read_settings()


def url_of_existing(settings: Settings, output: Output) -> str:
    """URL of the configured database, or of the embedded one if it was made before.

    An embedded server that is down is started; none is made. Raises ``InputError`` then.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    from orchestration.warehouse.connection import embedded_postgres

    server = embedded_postgres(settings)
    status = server.status()
    if status.url is None:
        raise InputError(
            "there is no database yet: run `rollups demo`, or set ROLLUPS_DATABASE_URL to yours"
        )
    if status.running:
        return status.url
    url = server.start()
    output.note("embedded PostgreSQL started (`rollups db stop` ends it)")
    return url


def connect(url: str) -> psycopg.Connection:
    """Connect for reading and small changes; raises ``DatabaseError`` that says what to do."""
    from orchestration.warehouse.connection import connect as connect_to

    try:
        return connect_to(url, application="rollups")
    except DatabaseError as error:
        text = str(error)
        if "ROLLUPS_" in text or "too old" in text:
            raise
        hint = next(hint for word, hint in _HINTS if word in text.partition(": ")[2])
        raise DatabaseError(f"{text}; {hint}") from None


@contextmanager
def deployed_database(output: Output) -> Iterator[tuple[Settings, str, psycopg.Connection]]:
    """Settings, URL and a connection to a database that has the rollups."""
    from orchestration.warehouse.bootstrap import require_initialised

    settings = load_settings()
    url = url_of_existing(settings, output)
    with connect(url) as connection:
        require_initialised(connection)
        yield settings, url, connection


@contextmanager
def dbt_silenced() -> Iterator[None]:
    """dbt writes its errors to stdout; they are in its log and in the error we report."""
    # An interrupted dbt leaves a semaphore to Python's own cleaner, which would complain of it.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    with redirect_stdout(io.StringIO()):
        yield


def require_family(settings: Settings, family: str) -> str:
    """The family if it is switched on; else ``InputError`` with those that are."""
    if family not in settings.families:
        raise InputError(
            f"unknown family {family[:80]!r}: use {' or '.join(settings.families)}"
            " (ROLLUPS_FAMILIES switches families on)"
        )
    return family


def chosen_families(settings: Settings, family: str | None) -> tuple[str, ...]:
    """The named family, or all that are switched on."""
    return settings.families if family is None else (require_family(settings, family),)


def parse_date(option: str, text: str | None) -> date | None:
    """A date given as YYYY-MM-DD; anything else raises ``InputError``."""
    if text is None:
        return None
    try:
        return written_date(text)
    except ValueError:
        raise InputError(
            f"{option} {text[:40]!r} is no date: use YYYY-MM-DD, such as 2025-03-31"
        ) from None


def require_range(
    connection: psycopg.Connection,
    settings: Settings,
    family: str,
    tenants: Sequence[Tenant],
    date_from: date | None,
    date_to: date | None,
) -> tuple[date, date]:
    """The range of local dates asked for; an open end is the end of what the source has.

    Raises ``InputError`` for reversed dates and for dates without partitions.
    """
    from orchestration.warehouse.tenants import first_date, require_dates

    first = first_date(connection, settings, family)
    last = max((tenant.today() for tenant in tenants), default=first)
    return require_dates(
        first if date_from is None else date_from,
        last if date_to is None else date_to,
        first=min(first, last),
        last=last,
    )
