"""``demo`` and ``up``: everything from the database to the Dagster UI, in one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli import web
from orchestration.cli.output import Output, Yes
from orchestration.cli.session import connect, load_settings
from orchestration.cli.setup import (
    deploy,
    empty_families,
    models_are_current,
    write_sample,
)

if TYPE_CHECKING:
    from orchestration.settings import Settings


def demo(yes: Yes = False) -> None:
    """Database, sample data, first refresh, then the Dagster UI. Ctrl-C ends it, data is kept."""
    from orchestration.embedded.demo_data import DemoDataPlan
    from orchestration.warehouse.connection import describe

    output = Output(as_json=False)
    settings = load_settings()
    with running_database(output, settings) as url:
        with connect(url) as connection:
            empty = empty_families(connection, settings)
        if empty:
            if settings.database_url is not None:
                names = " and ".join(empty)
                output.confirm(f"Write {names} sample data into {describe(url)}?", yes)
            write_sample(output, settings, url, DemoDataPlan(), empty)
        serve(output, settings, url)


def up(
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only", help="The UI alone, for people who look: nothing can be started."
        ),
    ] = False,
) -> None:
    """The same for your own source tables: set up, first refresh, then the Dagster UI."""
    output = Output(as_json=False)
    settings = load_settings()
    with running_database(output, settings) as url:
        if read_only:
            web.run(output, settings, url, read_only=True)
            return
        serve(output, settings, url)


@contextmanager
def running_database(output: Output, settings: Settings) -> Iterator[str]:
    """URL of the database; an embedded server that is started for it is stopped at the end."""
    from orchestration.warehouse.connection import database_url, embedded_postgres

    if settings.database_url is not None:
        yield database_url(settings)
        return
    server = embedded_postgres(settings)
    if server.status().running:
        yield server.url
        return
    with output.step("starting PostgreSQL"):
        url = server.start()
    try:
        yield url
    finally:
        with output.step("stopping PostgreSQL"), web.signals_ignored():
            server.stop()


def serve(output: Output, settings: Settings, url: str) -> None:
    """Set up what is not current, load what was never loaded, then run Dagster until Ctrl-C."""
    with connect(url) as connection:
        current = models_are_current(connection, settings)
    if not current:
        deploy(output, settings, url)
    for family in settings.families:
        if not _was_loaded(url, family):
            web.refresh_through_dagster(output, settings, url, family)
    web.run(output, settings, url)


def _was_loaded(url: str, family: str) -> bool:
    from orchestration.warehouse.status import tenant_status

    with connect(url) as connection:
        tenants = tenant_status(connection, family)
    return all(tenant.complete_through is not None for tenant in tenants if tenant.problem is None)
