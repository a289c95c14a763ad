"""``rollups source``: triggers that tell of every change in the source tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from orchestration.cli.output import Json, Output, Yes
from orchestration.cli.session import Family, chosen_families, deployed_database

if TYPE_CHECKING:
    from orchestration.warehouse.source_triggers import TriggerStatus

group = typer.Typer(help="Triggers in the source, for ROLLUPS_CHANGE_CAPTURE=triggers.")


@group.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@group.command("install-triggers")
def install(family: Family = None, yes: Yes = False, as_json: Json = False) -> None:
    """Put statement triggers on the source tables, one table after the other.

    They write what changed to a queue of ours in the transaction of the change. Takes the TRIGGER
    right on the tables; set ROLLUPS_CHANGE_CAPTURE=triggers afterwards.
    """
    from orchestration.warehouse.source_triggers import install_triggers, source_triggers

    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        families = chosen_families(settings, family)
        tables = [
            one.relation
            for name in families
            for one in source_triggers(connection, name)
            if one.status != "no table"
        ]
        output.note(f"triggers on {', '.join(tables)}")
        output.confirm("Install them?", yes)
        found: list[TriggerStatus] = []
        for name in families:
            with output.step(f"triggers of {name}") as step:
                found += install_triggers(connection, name, step.advance)
    output.result({"tables": found}, lambda: _say(output, found, settings.change_capture))


@group.command("remove-triggers")
def remove(family: Family = None, yes: Yes = False, as_json: Json = False) -> None:
    """Take the triggers off again; what they noted is still refreshed."""
    from orchestration.warehouse.source_triggers import remove_triggers

    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        output.confirm("Remove the triggers from the source tables?", yes)
        found = [
            one
            for name in chosen_families(settings, family)
            for one in remove_triggers(connection, name)
        ]
    output.result({"tables": found}, lambda: _say(output, found, settings.change_capture))


@group.command("show")
def show(family: Family = None, as_json: Json = False) -> None:
    """Which source tables have their triggers, and how many noted changes wait."""
    from orchestration.warehouse.source_triggers import source_triggers

    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        found = [
            one
            for name in chosen_families(settings, family)
            for one in source_triggers(connection, name)
        ]
    output.result({"tables": found}, lambda: _say(output, found, settings.change_capture))


def _say(output: Output, found: list[TriggerStatus], change_capture: str) -> None:
    output.table(
        ["family", "table", "triggers", "installed", ">changes waiting"],
        [[one.family, one.relation, one.status, one.installed_at, one.waiting] for one in found],
    )
    installed = any(one.status == "installed" for one in found)
    if installed and change_capture != "triggers":
        output.line("set ROLLUPS_CHANGE_CAPTURE=triggers to rely on them")
    if not installed and change_capture == "triggers":
        output.line("ROLLUPS_CHANGE_CAPTURE=triggers: refreshes fail until they are installed")
