"""All commands in one place. Nothing heavy is imported here: ``rollups --help`` is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration import __version__
from orchestration.cli import (
    access,
    bot_metrics,
    checking,
    database,
    demo,
    erasing,
    quarantine,
    reconciling,
    refreshing,
    report,
    setup,
    source,
    timezone,
)
from orchestration.cli.errors import EXIT_CODES

application = typer.Typer(
    name="rollups",
    help="Pre-aggregated metrics in PostgreSQL: set up, refresh, check and look after them.",
    epilog=EXIT_CODES,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@application.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"rollups {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


FIRST_STEPS, WORK, NUMBERS, CHECKS, DATABASE = (
    "First steps",
    "Work",
    "Numbers",
    "Checks",
    "Database",
)

application.command("demo", rich_help_panel=FIRST_STEPS)(demo.demo)
application.command("up", rich_help_panel=FIRST_STEPS)(demo.up)
application.command("init", rich_help_panel=FIRST_STEPS)(setup.init)
application.command("demo-data", rich_help_panel=FIRST_STEPS)(setup.demo_data)
application.command("refresh", rich_help_panel=WORK)(refreshing.refresh)
application.command("backfill", rich_help_panel=WORK)(refreshing.backfill)
application.add_typer(source.group, name="source", rich_help_panel=WORK)
application.command("erase", rich_help_panel=WORK)(erasing.erase)
application.add_typer(timezone.group, name="timezone", rich_help_panel=WORK)
application.add_typer(report.group, name="report", rich_help_panel=NUMBERS)
application.command("status", rich_help_panel=CHECKS)(checking.status)
application.command("metrics", rich_help_panel=CHECKS)(checking.metrics)
application.command("verify", rich_help_panel=CHECKS)(checking.verify)
application.command("quarantine", rich_help_panel=CHECKS)(quarantine.quarantine)
application.command("reconcile", rich_help_panel=CHECKS)(reconciling.reconcile)
application.command("doctor", rich_help_panel=CHECKS)(checking.doctor)
application.add_typer(bot_metrics.group, name="bot-metrics", rich_help_panel=CHECKS)
application.add_typer(access.group, name="access", rich_help_panel=DATABASE)
application.add_typer(database.group, name="db", rich_help_panel=DATABASE)
application.command(
    "dbt",
    rich_help_panel=DATABASE,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(database.dbt)
