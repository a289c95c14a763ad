"""Setting up: ``init`` and ``demo-data``, and what ``demo`` and ``up`` share with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, Output, Step, Yes, count
from orchestration.cli.session import connect, dbt_silenced, load_settings, url_of_existing

if TYPE_CHECKING:
    import psycopg

    from orchestration.embedded.demo_data import DemoDataPlan, DemoDataSummary
    from orchestration.settings import Settings

DEPLOYED_VERSION = "deployed_version"
_DEPLOY_STEPS = 7


def init(as_json: Json = False) -> None:
    """Create or update schemas, tables, models and roles. May be run again at any time."""
    output = Output(as_json)
    settings = load_settings()
    url = url_of_existing(settings, output)
    seconds, left = deploy(output, settings, url)
    document = {
        "database": _database(url),
        "families": settings.families,
        "seconds": seconds,
        "for_administrator": left,
    }
    output.result(document, lambda: output.line("ready: `rollups refresh` loads the rollups"))


def demo_data(
    tenants: Annotated[int, typer.Option("--tenants", help="How many tenants of each family.")] = 4,
    days: Annotated[int, typer.Option("--days", help="Days up to now.")] = 30,
    messages: Annotated[
        int,
        typer.Option("--messages", help="Outbound messages; a tenth as many conversations."),
    ] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same data.")] = 7,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Write sample data into empty source tables, which are created if missing."""
    from orchestration.embedded.demo_data import DemoDataPlan
    from orchestration.warehouse.connection import database_url, describe

    output = Output(as_json)
    settings = load_settings()
    plan = DemoDataPlan(tenants=tenants, days=days, messages=messages, seed=seed)
    url = database_url(settings)
    with connect(url) as connection:
        refuse_filled_source(connection, settings)
    if settings.database_url is not None:
        output.confirm(f"Write sample data into {describe(url)}?", yes)
    summaries = write_sample(output, settings, url, plan, settings.families)
    # No two families have a table or a tenant's id in common.
    rows = {table: n for summary in summaries for table, n in summary.rows.items()}
    zones = {key: zone for summary in summaries for key, zone in summary.tenant_timezones.items()}
    total, seconds = sum(rows.values()), sum(summary.seconds for summary in summaries)
    document = {
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": total / seconds,
        "timezones": zones,
        "start": summaries[0].start,
        "end": summaries[0].end,
    }
    output.result(
        document,
        lambda: output.line(
            f"{count(total, 'row')} written for {count(len(zones), 'tenant')}"
            f" ({total / seconds:,.0f} rows/s): `rollups refresh` loads the rollups"
        ),
    )


def deploy(output: Output, settings: Settings, url: str) -> tuple[float, list[str]]:
    """Bring the database to this version and remember which that is.

    Returns the seconds it took and the statements that are left to an administrator.
    """
    from orchestration.warehouse.bootstrap import initialise
    from orchestration.warehouse.source_contract import require_source

    started = time.monotonic()
    with connect(url) as connection:
        for family in settings.families:
            require_source(connection, settings, family)
    with output.step("setting up the database") as step, dbt_silenced():
        steps = iter(range(1, 1000))
        left = initialise(
            settings, url, lambda what: step.advance(next(steps), _DEPLOY_STEPS, what)
        )
    if left:
        output.note(
            "this role may not do all of it: an administrator must run these statements"
            " (docs/access.md), then run `rollups init` again"
        )
        for statement in left:
            output.note(f"  {statement};")
    with connect(url) as connection:
        connection.execute(
            "insert into ops.config (name, value) values (%s, %s)"
            " on conflict (name) do update set value = excluded.value",
            [DEPLOYED_VERSION, version_to_deploy(settings)],
        )
    return round(time.monotonic() - started, 2), left


def models_are_current(connection: psycopg.Connection, settings: Settings) -> bool:
    """Whether this database was set up by this version of the project with these settings."""
    found = connection.execute("select to_regclass('ops.config')").fetchone()
    if found is None or found[0] is None:
        return False
    row = connection.execute(
        "select value from ops.config where name = %s", [DEPLOYED_VERSION]
    ).fetchone()
    return row is not None and row[0] == version_to_deploy(settings)


def version_to_deploy(settings: Settings) -> str:
    """A hash of all that ``init`` puts into a database."""
    import hashlib

    from orchestration.dbt_runner import dbt_project
    from orchestration.warehouse.bootstrap import SQL_FOLDER

    digest = hashlib.sha256(dbt_project(settings).content_hash.encode())
    digest.update(",".join(settings.families).encode())
    for path in sorted(SQL_FOLDER.rglob("*.sql")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def refuse_filled_source(connection: psycopg.Connection, settings: Settings) -> None:
    """Raise ``InputError`` when source tables have rows: sample data never mixes with real."""
    from orchestration.errors import InputError
    from orchestration.warehouse.source_contract import source_schema

    empty = empty_families(connection, settings)
    for family in settings.families:
        if family not in empty:
            raise InputError(
                f"schema {source_schema(settings, family)} has {family} data already: sample data"
                f" goes into empty tables only, set ROLLUPS_{family.upper()}_SCHEMA to a schema"
                f" that does not exist yet or leave {family} out of ROLLUPS_FAMILIES"
            )


def empty_families(connection: psycopg.Connection, settings: Settings) -> tuple[str, ...]:
    """The families whose source tables are missing or without tenants."""
    from orchestration.embedded.demo_data import source_has_rows
    from orchestration.warehouse.source_contract import source_schema

    return tuple(
        family
        for family in settings.families
        if not source_has_rows(connection, source_schema(settings, family), family)
    )


def write_sample(
    output: Output, settings: Settings, url: str, plan: DemoDataPlan, families: tuple[str, ...]
) -> list[DemoDataSummary]:
    """Create the source tables if need be, set up the database, fill them, store the zones."""
    from orchestration.embedded.demo_data import (
        create_source_tables,
        generate,
        source_tables_exist,
    )
    from orchestration.warehouse.source_contract import source_schema
    from orchestration.warehouse.timezones import set_timezone

    schemas = {family: source_schema(settings, family) for family in families}
    summaries: list[DemoDataSummary] = []
    with connect(url) as connection:
        for family, schema in schemas.items():
            if not source_tables_exist(connection, schema, family):
                create_source_tables(connection, schema, family)
        # The outreach source has no column for a tenant's zone: it is kept with the rollups.
        if not _can_keep_zones(connection):
            deploy(output, settings, url)
        for family, schema in schemas.items():
            with output.step(f"writing sample data ({family})") as step:
                summary = generate(connection, schema, plan, _shown_by(step), family)
            summaries.append(summary)
            if family == "outreach":
                for tenant_id, zone in summary.tenant_timezones.items():
                    set_timezone(connection, family, tenant_id, zone or "UTC")
    return summaries


def _can_keep_zones(connection: psycopg.Connection) -> bool:
    row = connection.execute("select to_regclass('ops.tenant_setting')").fetchone()
    return bool(row and row[0])


def _shown_by(step: Step) -> Callable[[str, int, int], None]:
    return lambda what, done, total: step.advance(done, total, what)


def _database(url: str) -> str:
    from orchestration.warehouse.connection import describe

    return describe(url)
